"""What serving wrote down lately beside what it wrote before: drift, live quality, latency, freshness.

Everything comes from logs (``transforms.logged``) and the online store; nothing asks a serving process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from feature_repo.errors import InputError, StoreError
from feature_repo.home import Home
from feature_repo.manifest import UnknownService, load_service
from feature_repo.packed.freshness import Freshness
from inference.monitoring.freshness import FreshnessReader
from transforms.logged import flat, lookups
from transforms.logged.impressions import impressions
from transforms.pure import drift
from transforms.pure.drift import Drift

LEAST = 50
"""Rows on each side without which nothing is said of drift."""
MOST = 50_000
"""Rows of one side that are looked at, the newest."""
LATENCY_GOAL = 0.99
"""Share of recommendations that are to be answered within the goal."""
_NOT_SAID = {"at", "model"}


@dataclass(frozen=True)
class Compared:
    """One family of answers, or one feature service.

    Attributes:
        name: of it.
        against: what the newest rows are compared with, in words; empty if there was too little.
        before: rows.
        after: rows.
        found: of each column.
        samples: column of numbers → before and after, for pictures.
    """

    name: str
    against: str
    before: int
    after: int
    found: list[Drift] = field(default_factory=list)
    samples: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


@dataclass(frozen=True)
class Quality:
    """How recommendations of one model were taken up on one day.

    Attributes:
        day: of the recommendations.
        model: name and version.
        shown: tracks.
        played: those that were played within the hour, and not skipped.
        precision: of them all.
        ndcg: of the answers, by the place of what was played; None where nothing was.
        open: answers whose hour had not passed when this was looked at, left out of all else.
    """

    day: str
    model: str
    shown: int
    played: int
    precision: float
    ndcg: float | None
    open: int


@dataclass(frozen=True)
class Watched:
    """All that was looked at.

    Attributes:
        at: when.
        days: length of the newest period.
        reference: of the one before it.
        answers: by family.
        services: by feature service.
        quality: by day and model.
        latency: day → (answers, median, 99th percentile in milliseconds, share within the goal).
        freshness: of the views online; None if the store does not answer.
        goal: milliseconds.
    """

    at: datetime
    days: float
    reference: float
    answers: list[Compared]
    services: list[Compared]
    quality: list[Quality]
    latency: dict[str, tuple[int, float, float, float]]
    freshness: list[Freshness] | None
    goal: float

    @property
    def alarms(self) -> list[str]:
        """What somebody should look at, in words."""
        told = [
            f"{part.name}: {one.name} {one.verdict}: {', '.join(one.reasons)}"
            for part in (*self.answers, *self.services)
            for one in part.found
            if one.verdict == "drifted"
        ]
        for day, (count, _, p99, within) in self.latency.items():
            if count >= LEAST and within < LATENCY_GOAL:
                told.append(f"{day}: {within:.1%} of {count:,} answers within {self.goal:g} ms, p99 {p99:.0f} ms")
        return told


def watch(
    home: Home, *, days: float = 1.0, reference: float = 7.0, goal: float = 100.0, now: datetime | None = None
) -> Watched:
    """Look.

    Args:
        home: the data folder.
        days: length of the period that is looked at, up to ``now``.
        reference: of the period before it that it is compared with. A service without lookups in that is compared
            with the newest training set of it.
        goal: milliseconds that 99 % of the recommendations should take at the most.
        now: the end; the clock if None.
    """
    now = now or datetime.now(UTC)
    begins, before = now - timedelta(days=days), now - timedelta(days=days + reference)
    answers, latency = [], {}
    for family in flat.families(home):
        rows = flat.predictions(home, family, before).filter(pl.col("at") <= now)
        answers.append(_compared(family, rows, begins, "at", _NOT_SAID, f"the {reference:g} days before"))
        if family == "recommendations" and "milliseconds" in rows.columns:
            latency = _latency(rows, goal)
    services = [_service(home, name, begins, before, now, reference) for name in _services(home)]
    try:
        fresh: list[Freshness] | None = FreshnessReader(home).read()
    except StoreError:
        fresh = None
    return Watched(
        at=now,
        days=days,
        reference=reference,
        answers=answers,
        services=[one for one in services if one is not None],
        quality=_quality(home, before, now),
        latency=latency,
        freshness=fresh,
        goal=goal,
    )


def _services(home: Home) -> list[str]:
    return sorted(folder.name for folder in home.lookups("any").parent.glob("*") if folder.is_dir())


def _service(
    home: Home, name: str, begins: datetime, before: datetime, now: datetime, reference: float
) -> Compared | None:
    try:
        service = load_service(home, name)
        rows = lookups.served(home, service, before, 2 * MOST).filter(pl.col("event_timestamp") <= now)
    except (UnknownService, StoreError):
        return None
    names = [feature for feature, _ in service.features]
    kept = rows.select("event_timestamp", *names)
    against = f"the {reference:g} days before"
    if kept.filter(pl.col("event_timestamp") < begins).height < LEAST:
        trained_on, trained = lookups.trained_on(home, service)
        if trained is not None:
            against = f"training set {trained_on}"
            past = trained.select(names).tail(MOST).with_columns(event_timestamp=pl.lit(before))
            kept = pl.concat([kept.filter(pl.col("event_timestamp") >= begins), past], how="diagonal_relaxed")
    return _compared(name, kept, begins, "event_timestamp", {"event_timestamp"}, against)


def _compared(
    name: str, rows: pl.DataFrame, begins: datetime, clock: str, left_out: set[str], against: str
) -> Compared:
    before, after = rows.filter(pl.col(clock) < begins).tail(MOST), rows.filter(pl.col(clock) >= begins).tail(MOST)
    if before.height < LEAST or after.height < LEAST:
        return Compared(name, "", before.height, after.height)
    found, samples = [], {}
    for column in rows.columns:
        if column in left_out or rows.schema[column].is_nested() or rows.schema[column].is_temporal():
            continue
        first, second = before[column], after[column]
        found.append(drift.compare(column, first.to_list(), second.to_list()))
        if rows.schema[column].is_numeric():
            samples[column] = (_numbers(first), _numbers(second))
    order = {verdict: place for place, verdict in enumerate(reversed(drift.VERDICTS))}
    found.sort(key=lambda one: (order[one.verdict], -one.psi))
    return Compared(name, against, before.height, after.height, found, samples)


def _numbers(values: pl.Series) -> np.ndarray:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _latency(rows: pl.DataFrame, goal: float) -> dict[str, tuple[int, float, float, float]]:
    told = {}
    for (day,), some in rows.group_by(pl.col("at").dt.date(), maintain_order=True):
        spent = some["milliseconds"].drop_nulls().to_numpy()
        if len(spent):
            p50, p99 = np.percentile(spent, [50, 99])
            told[str(day)] = (len(spent), float(p50), float(p99), float((spent <= goal).mean()))
    return told


def _quality(home: Home, since: datetime, now: datetime) -> list[Quality]:
    """Recommendations joined with what was played within the hour after them; labels that are late join later."""
    try:
        rows = impressions(home)
    except (InputError, StoreError):
        return []
    rows = rows.filter(pl.col("event_timestamp").is_between(since, now))
    settled = pl.col("event_timestamp") <= now - timedelta(hours=1)
    found = []
    for (day, model), some in rows.group_by(
        pl.col("event_timestamp").dt.date().alias("day"), "model", maintain_order=True
    ):
        done = some.filter(settled)
        still = some.filter(~settled)["answer_id"].n_unique()
        rewards = done["reward"].to_numpy()
        ranks = [_ndcg(one["reward"].to_numpy()) for _, one in done.group_by("answer_id")]
        known = [value for value in ranks if value is not None]
        found.append(
            Quality(
                day=str(day),
                model=str(model),
                shown=len(rewards),
                played=int(rewards.sum()),
                precision=float(rewards.mean()) if len(rewards) else 0.0,
                ndcg=float(np.mean(known)) if known else None,
                open=still,
            )
        )
    return found


def _ndcg(rewards: Sequence[Any] | np.ndarray) -> float | None:
    """Of one answer by the places of what was played; None if nothing was."""
    rewards = np.asarray(rewards, float)
    if not rewards.sum():
        return None
    weights = 1 / np.log2(np.arange(2, len(rewards) + 2))
    return float((rewards * weights).sum() / (np.sort(rewards)[::-1] * weights).sum())
