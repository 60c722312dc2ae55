"""One number a listener: the metrics of an experiment, from exposures and point-in-time features.

A listener counts from their first exposure on. Their seven days begin at the midnight (UTC) that ends that day, so
that the windowed features (``user_listening``, ``user_feedback``), which stand at midnights, hold exactly those days;
the same features at the midnight before the exposure say what they did before. Whoever has not had their seven days
yet is left out, and counted. Click-through is of the tracks that were shown after the first exposure: plays and clicks
over tracks, as a ratio of sums, whose uncertainty is that of a ratio (linearised; R. Budylin et al., WSDM 2018).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from feature_repo.errors import InputError, StoreError
from feature_repo.experiments import METRICS, Experiment
from feature_repo.home import Home
from training.datasets.point_in_time import training_set
from transforms.logged import flat
from transforms.logged.impressions import impressions
from transforms.raw.read import scan

SERVICE = "experiment_metrics_v1"
DAYS = 7
_MISSING_IS_MISSING = ("skip_rate", "satisfaction")
"""Metrics of those alone who have one; of the others, nothing happened means 0."""


@dataclass(frozen=True)
class Measured:
    """Listeners of an experiment.

    Attributes:
        sizes: listeners of each arm who were exposed.
        mixed: listeners who were exposed to more than one arm, and are left out.
        waiting: listeners whose seven days have not passed.
        values: metric → arm → (n,) one number a listener.
        before: metric → arm → (n,) the same before the experiment, NaN where nothing is known; where there is one.
    """

    sizes: dict[str, int]
    mixed: int
    waiting: int
    values: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    before: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)


def measure(home: Home, experiment: Experiment, until: datetime | None = None) -> Measured:
    """Measure an experiment.

    Args:
        home: the data folder.
        experiment: as it was declared.
        until: the end of what is known; the newest play if None.

    Raises:
        InputError: nobody was exposed.
        StoreError: the features are not built.
    """
    shown = flat.exposures(home)
    if "experiment" in shown.columns:
        shown = shown.filter(pl.col("experiment") == experiment.name)
    if not shown.height or "experiment" not in shown.columns:
        raise InputError(
            expected=f"exposures of {experiment.name} in {home.exposures}",
            found="none",
            next_command=f"python -m inference experiments start {experiment.name}, then serve",
        )
    first = shown.group_by("user_id").agg(
        pl.col("at").min(), pl.col("variant").sort_by("at").first(), arms=pl.col("variant").n_unique()
    )
    mixed = int((first["arms"] > 1).sum()) if experiment.mode == "fixed" else 0
    first = first.filter(pl.col("arms") == 1) if experiment.mode == "fixed" else first
    until = until or _newest(home)
    first = first.with_columns(midnight=pl.col("at").dt.truncate("1d"))
    ended = first.filter(pl.col("midnight") + timedelta(days=DAYS + 1) <= until).sort("user_id")
    counts = dict(first.group_by("variant").len().iter_rows())
    arms = [variant.name for variant in experiment.variants]
    sizes = {arm: int(counts.get(arm, 0)) for arm in arms}
    values, before = _features(home, ended, arms)
    told = Measured(sizes, mixed, first.height - ended.height, values, before)
    clicks = _click_through(home, shown, first, arms)
    if clicks:
        told.values["click_through"] = clicks
    return told


def _newest(home: Home) -> datetime:
    newest = scan(home, "plays").select(pl.col("event_timestamp").max()).collect().item()
    if newest is None:
        raise StoreError(expected="plays", found="none", next_command="python -m transforms stream")
    return newest


def _features(
    home: Home, users: pl.DataFrame, arms: list[str]
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, dict[str, np.ndarray]]]:
    names = {metric: feature for metric, feature in METRICS.items() if feature}
    found: list[pl.DataFrame] = []
    for shift in (timedelta(days=DAYS + 1), timedelta(0)):
        spine = users.select("user_id", event_timestamp=pl.col("midnight") + shift)
        found.append(training_set(SERVICE, spine, home=home).to_polars().select("user_id", *names.values()))
    after, earlier = (frame.sort("user_id") for frame in found)
    arm = users["variant"].to_numpy()
    values: dict[str, dict[str, np.ndarray]] = {}
    before: dict[str, dict[str, np.ndarray]] = {}
    for metric, feature in names.items():
        numbers = [_filled(metric, frame[feature]) for frame in (after, earlier)]
        some = ~np.isnan(numbers[0])
        values[metric] = {name: numbers[0][some & (arm == name)] for name in arms}
        before[metric] = {name: numbers[1][some & (arm == name)] for name in arms}
    return values, before


def _filled(metric: str, column: pl.Series) -> np.ndarray:
    numbers = column.cast(pl.Float64)
    if metric not in _MISSING_IS_MISSING:
        numbers = numbers.fill_null(0.0)
    told = numbers.fill_null(np.nan).to_numpy()
    return (told > 0).astype(float) if metric in ("retention", "conversion") else told


def _click_through(
    home: Home, shown: pl.DataFrame, first: pl.DataFrame, arms: list[str]
) -> dict[str, np.ndarray] | None:
    """One number a listener whose mean is the ratio of sums, and whose spread is that of the ratio."""
    try:
        slots = impressions(home)
    except (InputError, StoreError):
        return None
    slots = slots.join(shown.select("answer_id").unique(), on="answer_id", how="semi")
    clicked = _clicked(home)
    rewarded = pl.col("reward") > 0
    if clicked is not None:
        slots = slots.join(clicked, on=["answer_id", "track_id"], how="left")
        rewarded = rewarded | pl.col("clicked").fill_null(False)
    sums = slots.group_by("user_id").agg(slots=pl.len(), taken=rewarded.cast(pl.Int64).sum())
    users = first.join(sums, on="user_id").sort("user_id")
    if not users.height:
        return None
    return {arm: linearised(*users.filter(pl.col("variant") == arm).select("taken", "slots")) for arm in arms}


def _clicked(home: Home) -> pl.DataFrame | None:
    try:
        acts = scan(home, "feedback")
    except StoreError:
        return None
    return (
        acts.filter((pl.col("action") == "click") & pl.col("answer_id").is_not_null())
        .select("answer_id", "track_id", clicked=pl.lit(True))
        .unique()
        .collect()
    )


def linearised(taken: pl.Series | np.ndarray, shown: pl.Series | np.ndarray) -> np.ndarray:
    """(n,) values with the mean Σ taken / Σ shown and, over n, the variance of that ratio (delta method)."""
    y, x = np.asarray(taken, float), np.asarray(shown, float)
    if not x.sum():
        return np.zeros(0)
    ratio = y.sum() / x.sum()
    return np.asarray(ratio + (y - ratio * x) / x.mean())
