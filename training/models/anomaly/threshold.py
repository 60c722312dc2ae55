"""Chooses the threshold that keeps false incidents within their budget, from normal data outside the fit.

Budgets are too small to be read off the data: a few entities in a few days allow less than one incident. So the
threshold is first lowered until ``ENOUGH`` incidents are reported. It is then raised by the decay of their peaks (peaks
over threshold with an exponential tail: A. C. Davison and R. L. Smith, Models for exceedances over high thresholds,
JRSS B 52, 1990), but never below the peak that would exceed the budget.
"""

from dataclasses import replace

import numpy as np

from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.incidents import Alarm, Incident, merge

STEPS = 80
MARGIN = 1.05
"""Factor on the threshold, as future weeks differ from the calibration weeks."""
ENOUGH = 12
"""Number of incidents from which the decay of the peaks is estimated."""


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
    """Return the policy with the chosen threshold.

    Args:
        policy: the other settings of the policy.
        series: (n,) number of the series of each score; an alarm silences only its own series.
        entities: (n,) entity of each score; an entity may have several series.
        times: (n,) event times in microseconds, ascending within each series.
        scores: (n,) scores of normal data.
        most: budget of incidents; may be less than one.
        gap: maximum distance of alarms of one incident, see ``Detector``.
        lowest: lower bound of the threshold.
        heavy: whether the logarithm of the scores has the exponential tail, rather than the scores themselves.
    """
    finite_scores = scores[np.isfinite(scores)]
    grid = np.geomspace(lowest, max(float(finite_scores.max(initial=lowest)), lowest * 1.01), STEPS)

    def incidents_at(step: int) -> list[Incident]:
        return find_incidents(replace(policy, threshold=float(grid[step])), series, entities, times, scores, gap=gap)

    low, high = 0, STEPS - 1
    while low < high:  # incidents fall as the threshold rises
        middle = (low + high) // 2
        low, high = (low, middle) if len(incidents_at(middle)) <= max(most, ENOUGH) else (middle + 1, high)
    peaks = np.array([incident.worst for incident in incidents_at(high)])
    start = float(grid[high])
    if len(peaks) <= most or not len(peaks):
        return replace(policy, threshold=start)
    log_reduction = np.log(len(peaks) / most)
    mean_excess = np.log(peaks / start).mean() if heavy else (peaks - start).mean()
    extrapolated = start * np.exp(mean_excess * log_reduction) if heavy else start + mean_excess * log_reduction
    budget_peak = np.sort(peaks)[::-1][min(int(most), len(peaks) - 1)]
    return replace(policy, threshold=float(max(extrapolated, budget_peak) * MARGIN))


def find_incidents(
    policy: AlarmPolicy,
    series: np.ndarray,
    entities: np.ndarray,
    times: np.ndarray,
    scores: np.ndarray,
    *,
    gap: int,
) -> list[Incident]:
    """Return the incidents that a policy reports on scores; arguments as in ``choose``."""
    return merge(alarms(policy, series, entities, times, scores), gap)


def alarms(
    policy: AlarmPolicy, series: np.ndarray, entities: np.ndarray, times: np.ndarray, scores: np.ndarray
) -> list[Alarm]:
    """Return the alarms that a policy raises; arguments as in ``choose``."""
    alarm_positions = np.flatnonzero(policy.replay(series, scores))
    return [
        Alarm(str(entities[position]), int(times[position]), float(scores[position]), 1.0, {})
        for position in alarm_positions
    ]
