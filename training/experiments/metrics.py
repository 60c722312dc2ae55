"""The metrics of an experiment, one number per listener, from exposures and point-in-time features.

A listener counts from the first exposure on. Their seven days begin at the midnight (UTC) that ends that day, so
that the windowed features (``user_listening``, ``user_feedback``), which stand at midnights, cover exactly those days.
The same features at the midnight before the exposure are the values before the experiment. Listeners whose seven days
are not over yet are left out, and counted. Click-through covers the tracks that were shown after the first exposure:
plays and clicks over tracks, as a ratio of sums with the uncertainty of a ratio (linearised; R. Budylin et al.,
WSDM 2018).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from feature_repo.access.whole import check_whole
from feature_repo.errors import InputError, StoreError
from feature_repo.experiments import METRICS, Experiment
from feature_repo.home import Home
from training.datasets.point_in_time import training_set
from transforms.logged import flat
from transforms.logged.impressions import impressions
from transforms.raw.read import scan

SERVICE = "experiment_metrics_v1"
DAYS = 7
CLOCK_ERROR = timedelta(minutes=1)
"""By how much an exposure may precede the start of its experiment: clocks of two machines differ."""
_MISSING_IS_MISSING = ("skip_rate", "satisfaction")
"""Metrics that stay missing for listeners without a value; of all other metrics a missing value afterwards means 0."""


@dataclass(frozen=True)
class Measurements:
    """Measurements of an experiment's listeners.

    Attributes:
        sizes: exposed listeners of each arm.
        mixed: listeners who were exposed to more than one arm, and are left out.
        waiting: listeners whose seven days are not over.
        values: metric → arm → (n,) one number per listener.
        before: metric → arm → (n,) the same before the experiment; NaN where nothing is known.
        misdated: listeners with an exposure from before the start of the experiment, who are left out: by a clock that
            went back, so that nobody knows when they were exposed first.
    """

    sizes: dict[str, int]
    mixed: int
    waiting: int
    values: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    before: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    misdated: int = 0


def measure(home: Home, experiment: Experiment, until: datetime | None = None) -> Measurements:
    """Measures an experiment.

    Args:
        home: the data folder.
        experiment: the declared experiment.
        until: end of the data; time of the newest play if None.

    Raises:
        InputError: there are no exposures.
        StoreError: the features are not built.
    """
    exposures = flat.exposures(home)
    if "experiment" in exposures.columns:
        exposures = exposures.filter(pl.col("experiment") == experiment.name)
    if not exposures.height or "experiment" not in exposures.columns:
        raise InputError(
            expected=f"exposures of {experiment.name} in {home.exposures}",
            found="none",
            next_command=f"refrain experiments start {experiment.name}, then serve",
        )
    first_exposures = exposures.group_by("user_id").agg(
        pl.col("at").min(), pl.col("variant").sort_by("at").first(), arms=pl.col("variant").n_unique()
    )
    exposed = first_exposures.height
    if experiment.started is not None:
        first_exposures = first_exposures.filter(pl.col("at") >= experiment.started - CLOCK_ERROR)
    misdated = exposed - first_exposures.height
    mixed = int((first_exposures["arms"] > 1).sum()) if experiment.mode == "fixed" else 0
    first_exposures = first_exposures.filter(pl.col("arms") == 1) if experiment.mode == "fixed" else first_exposures
    until = until or _newest(home)
    first_exposures = first_exposures.with_columns(midnight=pl.col("at").dt.truncate("1d"))
    complete = first_exposures.filter(pl.col("midnight") + timedelta(days=DAYS + 1) <= until).sort("user_id")
    counts = dict(first_exposures.group_by("variant").len().iter_rows())
    arms = [variant.name for variant in experiment.variants]
    sizes = {arm: int(counts.get(arm, 0)) for arm in arms}
    values, before = _features(home, complete, arms)
    measurements = Measurements(sizes, mixed, first_exposures.height - complete.height, values, before, misdated)
    clicks = _click_through(home, exposures, first_exposures, arms)
    if clicks:
        measurements.values["click_through"] = clicks
    return measurements


def _newest(home: Home) -> datetime:
    newest_play = scan(home, "plays").select(pl.col("event_timestamp").max()).collect().item()
    if newest_play is None:
        raise StoreError(expected="plays", found="none", next_command="refrain stream")
    return newest_play


def _features(
    home: Home, users: pl.DataFrame, arms: list[str]
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, dict[str, np.ndarray]]]:
    check_whole(home, "the analysis of an experiment")
    features = {metric: feature for metric, feature in METRICS.items() if feature}
    frames: list[pl.DataFrame] = []
    for shift in (timedelta(days=DAYS + 1), timedelta(0)):
        spine = users.select("user_id", event_timestamp=pl.col("midnight") + shift)
        frames.append(training_set(SERVICE, spine, home=home).to_polars().select("user_id", *features.values()))
    used = pl.concat([frame.select("user_id") for frame in frames]).group_by("user_id").len().filter(pl.col("len") == 2)
    users = users.join(used, on="user_id", how="semi", maintain_order="left")  # who consents, and did so before
    after, earlier = (frame.join(used, on="user_id", how="semi").sort("user_id") for frame in frames)
    arm = users["variant"].to_numpy()
    values: dict[str, dict[str, np.ndarray]] = {}
    before: dict[str, dict[str, np.ndarray]] = {}
    for metric, feature in features.items():
        # before, no row means that nothing is known of a new listener; afterwards, that nothing was done
        numbers = [
            _filled(metric, frame[feature], is_missing_kept=frame is earlier or metric in _MISSING_IS_MISSING)
            for frame in (after, earlier)
        ]
        has_value = ~np.isnan(numbers[0])
        values[metric] = {name: numbers[0][has_value & (arm == name)] for name in arms}
        before[metric] = {name: numbers[1][has_value & (arm == name)] for name in arms}
    return values, before


def _filled(metric: str, column: pl.Series, *, is_missing_kept: bool) -> np.ndarray:
    numbers = column.cast(pl.Float64)
    if not is_missing_kept:
        numbers = numbers.fill_null(0.0)
    filled = numbers.fill_null(np.nan).to_numpy()
    if metric not in ("retention", "conversion"):
        return filled
    return np.where(np.isnan(filled), np.nan, (filled > 0).astype(float))


def _click_through(
    home: Home, exposures: pl.DataFrame, first_exposures: pl.DataFrame, arms: list[str]
) -> dict[str, np.ndarray] | None:
    """Returns one number per listener with the mean of the ratio of sums, and the spread of that ratio."""
    try:
        slots = impressions(home)
    except (InputError, StoreError):
        return None
    slots = slots.join(exposures.select("answer_id").unique(), on="answer_id", how="semi")
    clicked = _clicked(home)
    rewarded = pl.col("reward") > 0
    if clicked is not None:
        slots = slots.join(clicked, on=["answer_id", "track_id"], how="left")
        rewarded = rewarded | pl.col("clicked").fill_null(False)
    sums = slots.group_by("user_id").agg(slots=pl.len(), taken=rewarded.cast(pl.Int64).sum())
    users = first_exposures.join(sums, on="user_id").sort("user_id")
    if not users.height:
        return None
    return {arm: linearised(*users.filter(pl.col("variant") == arm).select("taken", "slots")) for arm in arms}


def _clicked(home: Home) -> pl.DataFrame | None:
    try:
        feedback = scan(home, "feedback")
    except StoreError:
        return None
    return (
        feedback.filter((pl.col("action") == "click") & pl.col("answer_id").is_not_null())
        .select("answer_id", "track_id", clicked=pl.lit(True))
        .unique()
        .collect()
    )


def linearised(successes: pl.Series | np.ndarray, trials: pl.Series | np.ndarray) -> np.ndarray:
    """Linearises a ratio of sums (delta method).

    Returns:
        (n,) values with the mean Σ successes / Σ trials and, over n, the variance of that ratio.
    """
    y, x = np.asarray(successes, float), np.asarray(trials, float)
    if not x.sum():
        return np.zeros(0)
    ratio = y.sum() / x.sum()
    return np.asarray(ratio + (y - ratio * x) / x.mean())
