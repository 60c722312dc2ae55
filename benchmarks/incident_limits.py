"""Upper limits of detection within five minutes for simulated incidents, given knowledge of the simulator.

An entity without a recorded event cannot be detected: the share of incidents with at least one event of their entity
within five minutes is a limit for every kind. A *leak* is also compared with the noise that hides it: memory in use is
a known level of the host, times the exponential of a first-order autoregression with known coefficient and size. The
best test of a known shape in Gaussian noise is the matched filter of the whitened values (H. L. Van Trees, Detection,
Estimation, and Modulation Theory, Part I, 1968); its power is that of a normal variable whose mean is the length of the
whitened shape, against a threshold for one false alarm per host and week. A detector that does not know the growth rate
of a leak cannot find more; the simulator's bursts make it harder still.
"""

from statistics import NormalDist

import numpy as np
import polars as pl

from feature_repo.home import Home
from training.datasets.telemetry import incidents
from training.evaluate.incidents import MINUTE, SOON, WEEK
from training.models.anomaly.detector import Detector
from transforms.raw.simulate.telemetry.hosts import KEPT, LEVEL, NOISE, busyness, leaked
from transforms.raw.simulate.telemetry.schedule import Event, TelemetrySize, draw_schedule, names


def at_best(home: Home, size: TelemetrySize, seed: int, detector: Detector) -> dict[str, float]:
    """Return kind of incident → share that could be found within five minutes."""
    truth = incidents(home, detector.key)
    if detector.points is not None:  # these entities have a record every minute
        limits = dict.fromkeys(truth["kind"].unique().to_list(), 1.0)
    else:
        limits = _recorded(detector.moments(home), detector.key, truth)
    if "leak" in limits:
        leaks = [event for event in draw_schedule(size, np.random.default_rng(seed)) if event.kind == "leak"]
        limits["leak"] = float(np.mean([_power(event, size) for event in leaks]))
    return {kind: round(share, 3) for kind, share in sorted(limits.items())}


def _recorded(spine: pl.DataFrame, key: str, truth: pl.DataFrame) -> dict[str, float]:
    """Return kind → share of incidents with an event of their entity within five minutes."""
    events = spine.select(entity_id=key, at=pl.col("event_timestamp").dt.timestamp("us")).sort("at")
    first_events = truth.sort("start").join_asof(
        events, left_on="start", right_on="at", by="entity_id", strategy="forward", check_sortedness=False
    )
    soon = (pl.col("at") - pl.col("start") <= SOON).fill_null(False).mean()
    return dict(first_events.group_by("kind").agg(soon.alias("soon")).iter_rows())


def _power(event: Event, size: TelemetrySize) -> float:
    """Return the probability that the matched filter detects a leak after five scrapes."""
    host = names(size)["host_id"].index(event.entity_id)
    memory = np.full(SOON // MINUTE, LEVEL["memory_permille"] * busyness(size.hosts)[host])
    leaked_memory = leaked(memory, event.share(event.start + np.arange(1, len(memory) + 1) * MINUTE), event.strength)
    shape = np.log1p(leaked_memory / memory) / NOISE["memory_permille"]
    whitened = (shape - KEPT * np.concatenate([[0.0], shape[:-1]])) / np.sqrt(1 - KEPT**2)
    threshold = NormalDist().inv_cdf(1 - MINUTE / WEEK)
    return NormalDist().cdf(float(np.linalg.norm(whitened)) - threshold)
