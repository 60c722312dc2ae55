"""Bootstrap intervals of means of clustered values, by resampling the clusters.

A. C. Cameron, J. B. Gelbach and D. L. Miller, Bootstrap-Based Improvements for Inference with Clustered Errors, 2008:
rows of one listener are alike, so listeners are drawn and not rows. Percentile intervals are too narrow for few
clusters; they are expanded as the t distribution asks (T. C. Hesterberg, What Teachers Should Know About the Bootstrap,
2015, section 5.3).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

DRAWS = 2_000


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval.

    Attributes:
        mean: mean over all rows.
        low: lower end of the interval; NaN with fewer than two clusters, of which nothing can be said.
        high: upper end of the interval; NaN likewise.
        units: number of rows.
        clusters: number of clusters.
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
        """The interval as text with signs, for a difference."""
        return f"{self.mean:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


def interval(values: np.ndarray, clusters: np.ndarray | None = None, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Computes the interval of the mean of values (n,); values that are not finite are left out.

    Args:
        values: numbers.
        clusters: (n,) cluster of each value; every value is its own cluster if None.
        draws: number of resamples.
        seed: seed of the draws.

    >>> interval(np.ones(50)).low
    1.0
    """
    is_known = np.isfinite(values)
    values = values[is_known]
    if not len(values):
        return Interval(float("nan"), float("nan"), float("nan"), 0, 0)
    cluster_numbers = (
        np.arange(len(values)) if clusters is None else np.unique(clusters[is_known], return_inverse=True)[1]
    )
    sums, counts = np.bincount(cluster_numbers, weights=values), np.bincount(cluster_numbers)
    if len(sums) < 2:
        return Interval(float(values.mean()), float("nan"), float("nan"), len(values), len(sums))
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    step = max(1, 4_000_000 // len(sums))
    with np.errstate(over="ignore", invalid="ignore"):  # sums beyond the largest float have no known mean
        for start in range(0, draws, step):
            drawn_clusters = rng.integers(0, len(sums), (min(step, draws - start), len(sums)))
            means[start : start + step] = sums[drawn_clusters].sum(axis=1) / counts[drawn_clusters].sum(axis=1)
        low, high = np.quantile(means, tails(len(sums)))
        return Interval(float(values.mean()), float(low), float(high), len(values), len(sums))


def tails(clusters: int) -> tuple[float, float]:
    """Returns the quantiles of the means that are the ends of the expanded 95 % interval.

    >>> [round(tail, 3) for tail in tails(10_000)]
    [0.025, 0.975]
    """
    tail = float(ndtr(stdtrit(clusters - 1, 0.025) * np.sqrt(clusters / (clusters - 1))))
    return tail, 1 - tail


def t_over_normal(clusters: int) -> float:
    """Returns the factor by which an interval of a normal distribution widens for so few clusters.

    >>> round(t_over_normal(20), 2)
    1.1
    """
    return float(stdtrit(clusters - 1, 0.025) / ndtri(0.025) * np.sqrt(clusters / (clusters - 1)))
