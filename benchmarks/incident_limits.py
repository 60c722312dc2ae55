"""What of simulated incidents can be known within five minutes, by one who knows how the simulator draws them.

Nothing can be known of an entity of which nothing was recorded: the share of incidents with at least one event of their
entity so soon is a limit for every kind. A *leak* is also compared with the noise that it hides in: memory in use is a
level known to the host, times the exponential of a first-order autoregression whose coefficient and size are known
here. The best test of a known shape in Gaussian noise is the matched filter of the whitened values (H. L. Van Trees,
Detection, Estimation, and Modulation Theory, Part I, 1968); its power is that of a normal variable whose mean is the
length of the whitened shape, against a threshold that lets one false alarm a host and week through. Nobody who does not
know how fast a leak will grow finds more; the simulator's bursts make it harder still.
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
    """Kind of incident → share that could be found within five minutes."""
    truth = incidents(home, detector.key)
    if detector.points is not None:  # something is recorded of them every minute
        best = dict.fromkeys(truth["kind"].unique().to_list(), 1.0)
    else:
        best = _recorded(detector.moments(home), detector.key, truth)
    if "leak" in best:
        leaks = [event for event in draw_schedule(size, np.random.default_rng(seed)) if event.kind == "leak"]
        best["leak"] = float(np.mean([_power(event, size) for event in leaks]))
    return {kind: round(share, 3) for kind, share in sorted(best.items())}


def _recorded(spine: pl.DataFrame, key: str, truth: pl.DataFrame) -> dict[str, float]:
    """Kind → share of incidents with an event of their entity within five minutes."""
    events = spine.select(entity_id=key, at=pl.col("event_timestamp").dt.timestamp("us")).sort("at")
    first = truth.sort("start").join_asof(
        events, left_on="start", right_on="at", by="entity_id", strategy="forward", check_sortedness=False
    )
    soon = (pl.col("at") - pl.col("start") <= SOON).fill_null(False).mean()
    return dict(first.group_by("kind").agg(soon.alias("soon")).iter_rows())


def _power(event: Event, size: TelemetrySize) -> float:
    """Chance that the matched filter has told a leak after five scrapes."""
    host = names(size)["host_id"].index(event.entity_id)
    memory = np.full(SOON // MINUTE, LEVEL["memory_permille"] * busyness(size.hosts)[host])
    taken = leaked(memory, event.share(event.start + np.arange(1, len(memory) + 1) * MINUTE), event.strength)
    shape = np.log1p(taken / memory) / NOISE["memory_permille"]
    white = (shape - KEPT * np.concatenate([[0.0], shape[:-1]])) / np.sqrt(1 - KEPT**2)
    threshold = NormalDist().inv_cdf(1 - MINUTE / WEEK)
    return NormalDist().cdf(float(np.linalg.norm(white)) - threshold)
