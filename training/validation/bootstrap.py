"""Intervals of means of what comes in clusters, by resampling the clusters.

A. C. Cameron, J. B. Gelbach and D. L. Miller, Bootstrap-Based Improvements for Inference with Clustered Errors, 2008:
rows of one listener are alike, so listeners are drawn and not rows. Percentile intervals.
"""

from dataclasses import dataclass

import numpy as np

DRAWS = 2_000


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval.

    Attributes:
        mean: over all rows.
        low: end of the interval.
        high: likewise.
        units: rows.
        clusters: of them.
    """

    mean: float
    low: float
    high: float
    units: int
    clusters: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} ({self.low:.4f} to {self.high:.4f})"

    @property
    def signed(self) -> str:
        """As a difference."""
        return f"{self.mean:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


def interval(values: np.ndarray, clusters: np.ndarray | None = None, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Of the mean of values (n,); NaN is left out.

    Args:
        values: numbers.
        clusters: (n,) whose each is; every value is one of its own if None.
        draws: how often to resample.
        seed: of the draws.

    >>> interval(np.ones(50)).low
    1.0
    """
    known = np.isfinite(values)
    values = values[known]
    if not len(values):
        return Interval(float("nan"), float("nan"), float("nan"), 0, 0)
    number = np.arange(len(values)) if clusters is None else np.unique(clusters[known], return_inverse=True)[1]
    sums, counts = np.bincount(number, weights=values), np.bincount(number)
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    step = max(1, 4_000_000 // len(sums))
    for start in range(0, draws, step):
        drawn = rng.integers(0, len(sums), (min(step, draws - start), len(sums)))
        means[start : start + step] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high), len(values), len(sums))
