"""A monitor of a machine whose sensors are read at one pace, learned from a few hundred normal rows.

Rows are scored as by ``fit_rows`` (T² and Q of principal components, an isolation forest). Three things differ, as the
rows of a plant follow each other and are few:

*Evidence* is added up: the score is averaged over the last rows with falling weights (S. W. Roberts, Control chart
tests based on geometric moving averages, Technometrics 1, 1959). A fault lasts; noise does not.

*The limit* controls false alarms although neighbouring rows are alike: the average is taken of scores of held-out
blocks, and as of every ``2 * span`` rows only one is news, the limit is the prediction limit of Student's t for that
many observations (G. J. Hahn, W. Q. Meeker, Statistical intervals, 1991).

*Sensors that have not settled* are left out: what a level will be that still moves through the normal rows, such as a
temperature after the start, is not known from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from training.models.anomaly.fit_rows import fit_parts, held_out_scores
from transforms.pure.anomaly.rows import RowDetector

SPAN = 10
"""Number of rows in the average of the scores, as 1 / weight of the newest."""
FALSE_ALARM = 0.005
"""Probability of an alarm in an independent normal stretch of rows."""
TREND = 0.5
"""Share of a sensor's variance that a straight line explains, from which on it has not settled."""


@dataclass(frozen=True)
class PlantMonitor:
    """A monitor of one plant.

    Attributes:
        detector: scores of the settled sensors.
        unsettled: sensors that are left out.
        limit: average score at which a row is an alarm.

    >>> rng = np.random.default_rng(0)
    >>> load = rng.normal(size=900)
    >>> flow, pressure = (load + rng.normal(0, 0.1, 900) for _ in range(2))
    >>> flow[600:] = rng.normal(size=600 // 2)  # the valve is closed: flow no longer follows the load
    >>> monitor = PlantMonitor.fit({"flow": flow[:400], "pressure": pressure[:400]})
    >>> alarms = monitor.alarms({"flow": flow, "pressure": pressure})
    >>> bool(alarms[620:].mean() > 0.9), bool(alarms[:600].any())
    (True, False)
    """

    detector: RowDetector
    unsettled: tuple[str, ...]
    limit: float

    @classmethod
    def fit(cls, rows: Mapping[str, np.ndarray], *, seed: int = 0) -> Self:
        """Learn from sensor → (n,) values of normal rows, in the order of their times.

        Raises:
            InputError: there are too few rows (``fit_rows.FEWEST``), or a sensor has no value.
        """
        from scipy.stats import t

        trending = [name for name, values in rows.items() if trend_share(values) > TREND]
        unsettled = tuple(trending) if len(trending) < len(rows) else ()
        settled = {name: values for name, values in rows.items() if name not in unsettled}
        average = moving_average(held_out_scores(settled, seed=seed)[0])[SPAN:]
        news = max(len(average) / (2 * SPAN), 2.0)
        factor = float(t.ppf(1 - FALSE_ALARM, news - 1)) * np.sqrt(1 + 1 / news)
        return cls(fit_parts(settled, seed=seed), unsettled, float(average.mean() + factor * average.std()))

    def averages(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """Averages (n,) of the scores of rows, sensor → (n,) values, in the order of their times."""
        return moving_average(self.detector.score(rows).score)

    def alarms(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """Alarms (n,) of rows, as ``averages``; the value at a row uses no later row."""
        return self.averages(rows) >= self.limit


def moving_average(scores: np.ndarray, span: int = SPAN) -> np.ndarray:
    """Exponentially weighted averages (n,) of scores (n,); the first is that of the first score."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([1 / span], [1, 1 / span - 1], scores, zi=[(1 - 1 / span) * scores[0]])[0])


def trend_share(values: np.ndarray) -> float:
    """Share (0 to 1) of the variance of values (n,) that a straight line through them explains."""
    known = np.isfinite(values)
    if known.sum() < 3 or np.ptp(values[known]) == 0:
        return 0.0
    return float(np.corrcoef(np.flatnonzero(known), values[known])[0, 1] ** 2)
