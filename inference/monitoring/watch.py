"""Compares the recent logs of serving with earlier logs: drift, live quality, latency, freshness.

All data comes from logs (``transforms.logged``) and the online store; no serving process is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from feature_repo import clock
from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import UnknownService, load_service
from feature_repo.packed.freshness import Freshness
from inference.monitoring.freshness import FreshnessReader, span, stale_views
from inference.monitoring.staleness import STALE_AFTER_S
from transforms.logged import flat, lookups
from transforms.logged.impressions import impressions
from transforms.pure import drift
from transforms.pure.drift import Drift

MIN_ROWS = 50
"""Minimum number of rows on each side to measure drift."""
MAX_ROWS = 50_000
"""Maximum number of rows on each side; the newest are used."""
LATENCY_GOAL = 0.99
"""Share of recommendations that should be answered within the latency goal."""
MAX_NAMED = 5
"""Maximum number of stale views that a message names."""
REFRESH = "refrain build && refrain materialize"
LOG = "REFRAIN_LOG_PREDICTIONS=0.1 REFRAIN_LOG_LOOKUPS=0.01"
_NOT_COMPARED = {"at", "model"}


@dataclass(frozen=True)
class Comparison:
    """The drift of one family of answers or one feature service.

    Attributes:
        name: name of the family or feature service.
        baseline: description of the data that the newest rows are compared with; empty if there were too few rows.
        before: number of rows of the baseline.
        after: number of rows of the newest period.
        drifts: drift of each column.
        samples: numeric column → values before and after, for histograms.
    """

    name: str
    baseline: str
    before: int
    after: int
    drifts: list[Drift] = field(default_factory=list)
    samples: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


@dataclass(frozen=True)
class Quality:
    """The quality of one model's recommendations on one day.

    Attributes:
        day: day of the recommendations.
        model: name and version of the model.
        shown: number of tracks shown.
        played: number of shown tracks that were played within the hour and not skipped.
        precision: share of the shown tracks that were played.
        ndcg: mean NDCG of the answers with a play; None if nothing was played.
        open: number of answers whose hour has not passed yet; the other figures leave them out.
    """

    day: str
    model: str
    shown: int
    played: int
    precision: float
    ndcg: float | None
    open: int


@dataclass(frozen=True)
class MonitoringReport:
    """The result of monitoring.

    Attributes:
        at: end of the newest period.
        days: length of the newest period in days.
        reference: length of the reference period before it in days.
        answers: drift of the answers by family.
        services: drift of the served features by feature service.
        quality: quality of the recommendations by day and model.
        latency: day → (number of answers, median and 99th percentile in milliseconds, share within the goal).
        freshness: freshness of the views in the online store; None if it does not answer.
        stale: name and age in seconds of the views whose newest event is too old.
        goal: latency goal in milliseconds.
    """

    at: datetime
    days: float
    reference: float
    answers: list[Comparison]
    services: list[Comparison]
    quality: list[Quality]
    latency: dict[str, tuple[int, float, float, float]]
    freshness: list[Freshness] | None
    goal: float
    stale: list[tuple[str, float]] = field(default_factory=list)

    @property
    def alarms(self) -> list[str]:
        """Messages on drift, latency and stale features that need attention."""
        alarms = [
            f"{comparison.name}: {drift.name} {drift.verdict}: {', '.join(drift.reasons)}"
            for comparison in (*self.answers, *self.services)
            for drift in comparison.drifts
            if drift.verdict == "drifted"
        ]
        for day, (count, _, p99, within) in self.latency.items():
            if count >= MIN_ROWS and within < LATENCY_GOAL:
                alarms.append(f"{day}: {within:.1%} of {count:,} answers within {self.goal:g} ms, p99 {p99:.0f} ms")
        if self.stale:
            oldest = ", ".join(f"{name} ({span(age)})" for name, age in self.stale[:MAX_NAMED])
            more = f" and {len(self.stale) - MAX_NAMED} more" if len(self.stale) > MAX_NAMED else ""
            alarms.append(f"features are stale; age of the newest event: {oldest}{more}. Next: {REFRESH}")
        return alarms

    @property
    def gaps(self) -> list[str]:
        """Messages on what could not be checked; without data, nothing is known to be right."""
        gaps = []
        comparisons = [*self.answers, *self.services]
        if not any(comparison.after for comparison in comparisons):
            gaps.append(f"no answer and no lookup was logged in {self.days:g} days. Next: {LOG} refrain serve")
        elif not any(comparison.baseline for comparison in comparisons):
            most = max(comparisons, key=lambda comparison: comparison.after)
            counts = f"{most.after:,} rows with {most.before:,} before them"
            gaps.append(f"too little was logged to compare ({most.name}: {counts}, {MIN_ROWS} are needed on each side)")
        if self.freshness is None:
            gaps.append(
                "the online store does not answer, so the age of features is unknown. Next: refrain redis status"
            )
        elif not any(view.rows_written for view in self.freshness):
            gaps.append("no features are online. Next: refrain materialize")
        return gaps


def watch(
    home: Home,
    *,
    days: float = 1.0,
    reference: float = 7.0,
    goal: float = 100.0,
    stale_after: float = STALE_AFTER_S,
    now: datetime | None = None,
) -> MonitoringReport:
    """Compare the newest logs with the logs of the reference period.

    Args:
        home: the data folder.
        days: length of the newest period in days, up to ``now``.
        reference: length of the reference period before it in days. A feature service without lookups in the reference
            period is compared with its newest training set.
        goal: latency goal: milliseconds within which 99 % of the recommendations should be answered.
        stale_after: age in seconds of the newest event from which on the features of a windowed view are stale.
        now: end of the newest period; the current time if None.
    """
    now = now or datetime.now(UTC)
    period_start, reference_start = now - timedelta(days=days), now - timedelta(days=days + reference)
    answers, latency = [], {}
    for family in flat.families(home):
        rows = flat.predictions(home, family, reference_start).filter(pl.col("at") <= now)
        answers.append(_compare(family, rows, period_start, "at", _NOT_COMPARED, f"the {reference:g} days before"))
        if family == "recommendations" and "milliseconds" in rows.columns:
            latency = _latency(rows, goal)
    services = [
        _compare_service(home, name, period_start, reference_start, now, reference) for name in _logged_services(home)
    ]
    view_freshness: list[Freshness] | None
    try:
        reader = FreshnessReader(home)
        view_freshness = reader.read()
        stale = stale_views(view_freshness, reader.windowed(), clock.seconds(), stale_after)
    except StoreError:
        view_freshness, stale = None, []
    return MonitoringReport(
        at=now,
        days=days,
        reference=reference,
        answers=answers,
        services=[comparison for comparison in services if comparison is not None],
        quality=_quality(home, reference_start, now),
        latency=latency,
        freshness=view_freshness,
        goal=goal,
        stale=stale,
    )


def _logged_services(home: Home) -> list[str]:
    return sorted(folder.name for folder in home.lookups("any").parent.glob("*") if folder.is_dir())


def _compare_service(
    home: Home, name: str, period_start: datetime, reference_start: datetime, now: datetime, reference: float
) -> Comparison | None:
    try:
        service = load_service(home, name)
        rows = lookups.served(home, service, reference_start, 2 * MAX_ROWS).filter(pl.col("event_timestamp") <= now)
    except (UnknownService, StoreError):
        return None
    feature_names = [feature for feature, _ in service.features]
    observed = rows.select("event_timestamp", *feature_names)
    baseline = f"the {reference:g} days before"
    if observed.filter(pl.col("event_timestamp") < period_start).height < MIN_ROWS:
        trained_on, trained = lookups.trained_on(home, service)
        if trained is not None:
            baseline = f"training set {trained_on}"
            past = trained.select(feature_names).tail(MAX_ROWS).with_columns(event_timestamp=pl.lit(reference_start))
            observed = pl.concat(
                [observed.filter(pl.col("event_timestamp") >= period_start), past], how="diagonal_relaxed"
            )
    return _compare(name, observed, period_start, "event_timestamp", {"event_timestamp"}, baseline)


def _compare(
    name: str, rows: pl.DataFrame, period_start: datetime, time_column: str, skipped: set[str], baseline: str
) -> Comparison:
    before, after = (
        rows.filter(pl.col(time_column) < period_start).tail(MAX_ROWS),
        rows.filter(pl.col(time_column) >= period_start).tail(MAX_ROWS),
    )
    if before.height < MIN_ROWS or after.height < MIN_ROWS:
        return Comparison(name, "", before.height, after.height)
    drifts, samples = [], {}
    for column in rows.columns:
        if column in skipped or rows.schema[column].is_nested() or rows.schema[column].is_temporal():
            continue
        values_before, values_after = before[column], after[column]
        drifts.append(drift.compare(column, values_before.to_list(), values_after.to_list()))
        if rows.schema[column].is_numeric():
            samples[column] = (_to_floats(values_before), _to_floats(values_after))
    rank = {verdict: place for place, verdict in enumerate(reversed(drift.VERDICTS))}
    drifts.sort(key=lambda column_drift: (rank[column_drift.verdict], -column_drift.psi))
    return Comparison(name, baseline, before.height, after.height, drifts, samples)


def _to_floats(values: pl.Series) -> np.ndarray:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _latency(rows: pl.DataFrame, goal: float) -> dict[str, tuple[int, float, float, float]]:
    by_day = {}
    for (day,), day_rows in rows.group_by(pl.col("at").dt.date(), maintain_order=True):
        times_ms = day_rows["milliseconds"].drop_nulls().to_numpy()
        if len(times_ms):
            p50, p99 = np.percentile(times_ms, [50, 99])
            by_day[str(day)] = (len(times_ms), float(p50), float(p99), float((times_ms <= goal).mean()))
    return by_day


def _quality(home: Home, since: datetime, now: datetime) -> list[Quality]:
    """Join recommendations with the plays within the hour after them; plays that arrive late count in later runs."""
    try:
        rows = impressions(home)
    except (InputError, StoreError):
        return []
    rows = rows.filter(pl.col("event_timestamp").is_between(since, now))
    is_settled = pl.col("event_timestamp") <= now - timedelta(hours=1)
    quality = []
    for (day, model), day_rows in rows.group_by(
        pl.col("event_timestamp").dt.date().alias("day"), "model", maintain_order=True
    ):
        settled_rows = day_rows.filter(is_settled)
        open_answers = day_rows.filter(~is_settled)["answer_id"].n_unique()
        rewards = settled_rows["reward"].to_numpy()
        answer_ndcgs = [
            _ndcg(answer_rows["reward"].to_numpy()) for _, answer_rows in settled_rows.group_by("answer_id")
        ]
        ndcgs = [value for value in answer_ndcgs if value is not None]
        quality.append(
            Quality(
                day=str(day),
                model=str(model),
                shown=len(rewards),
                played=int(rewards.sum()),
                precision=float(rewards.mean()) if len(rewards) else 0.0,
                ndcg=float(np.mean(ndcgs)) if ndcgs else None,
                open=open_answers,
            )
        )
    return quality


def _ndcg(rewards: Sequence[Any] | np.ndarray) -> float | None:
    """Compute the NDCG of one answer from its played slots; None if nothing was played."""
    rewards = np.asarray(rewards, float)
    if not rewards.sum():
        return None
    weights = 1 / np.log2(np.arange(2, len(rewards) + 2))
    return float((rewards * weights).sum() / (np.sort(rewards)[::-1] * weights).sum())
