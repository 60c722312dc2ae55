"""The threshold that keeps false incidents within their budget, from normal data that nothing was fitted to.

Budgets are smaller than what the data can show: a handful of entities in a few days has no incident to spare. So the
threshold is lowered until ``ENOUGH`` incidents are told, and raised again by how fast their peaks become rarer (peaks
over threshold with an exponential tail: A. C. Davison and R. L. Smith, Models for exceedances over high thresholds,
JRSS B 52, 1990), though not below what was seen too often.
"""

from dataclasses import replace

import numpy as np

from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.incidents import Alarm, Incident, merge

STEPS = 80
MARGIN = 1.05
"""The weeks to come are never quite those that were held back."""
ENOUGH = 12
"""Incidents that tell how fast their peaks become rarer."""


def choose(
    policy: AlarmPolicy,
    series: np.ndarray,
    entities: np.ndarray,
    times: np.ndarray,
    scores: np.ndarray,
    *,
    most: float,
    gap: int,
    lowest: float,
    heavy: bool = False,
) -> AlarmPolicy:
    """The policy with the threshold.

    Args:
        policy: its other settings.
        series: (n,) number of the series that each score is of: an alarm silences only its own.
        entities: (n,) whose score it is; several series may be of one entity.
        times: (n,) microseconds, ascending for each series.
        scores: (n,) of normal data.
        most: incidents that may be told; less than one is meant.
        gap: see ``Detector``.
        lowest: no threshold is lower.
        heavy: whether the logarithm of the scores has the exponential tail.
    """
    known = scores[np.isfinite(scores)]
    grid = np.geomspace(lowest, max(float(known.max(initial=lowest)), lowest * 1.01), STEPS)

    def at(step: int) -> list[Incident]:
        return told(replace(policy, threshold=float(grid[step])), series, entities, times, scores, gap=gap)

    low, high = 0, STEPS - 1
    while low < high:  # incidents fall as the threshold rises
        middle = (low + high) // 2
        low, high = (low, middle) if len(at(middle)) <= max(most, ENOUGH) else (middle + 1, high)
    peaks = np.array([incident.worst for incident in at(high)])
    start = float(grid[high])
    if len(peaks) <= most or not len(peaks):
        return replace(policy, threshold=start)
    rarer = np.log(len(peaks) / most)
    above = np.log(peaks / start).mean() if heavy else (peaks - start).mean()
    reached = start * np.exp(above * rarer) if heavy else start + above * rarer
    seen = np.sort(peaks)[::-1][min(int(most), len(peaks) - 1)]
    return replace(policy, threshold=float(max(reached, seen) * MARGIN))


def told(
    policy: AlarmPolicy,
    series: np.ndarray,
    entities: np.ndarray,
    times: np.ndarray,
    scores: np.ndarray,
    *,
    gap: int,
) -> list[Incident]:
    """What a policy makes of scores."""
    return merge(alarms(policy, series, entities, times, scores), gap)


def alarms(
    policy: AlarmPolicy, series: np.ndarray, entities: np.ndarray, times: np.ndarray, scores: np.ndarray
) -> list[Alarm]:
    """The alarms that a policy raises; arguments as in ``choose``."""
    raised = np.flatnonzero(policy.replay(series, scores))
    return [Alarm(str(entities[at]), int(times[at]), float(scores[at]), 1.0, {}) for at in raised]
