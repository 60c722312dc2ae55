"""Bootstrap of ratios of sums by group, and of the largest gap between groups, by resampling clusters.

The largest gap between groups is never below 0, so that its own resamples lie too high, the more so the smaller the
groups are. The differences of all pairs of groups are therefore bounded together: with bounds that hold for every pair
at once, the largest lower and the largest upper bound hold for the largest gap (max-t bounds; Romano and Wolf,
Stepwise Multiple Testing as Formalized Data Snooping, 2005).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.validation.bootstrap import Interval, t_over_normal, tails

DRAWS = 1_000
ALONE = 1.96
"""Standard errors within which one difference lies in 95 % of cases; several together need no fewer."""
CELLS = 4_000_000
"""Largest number of drawn clusters that are held at once."""


@dataclass(frozen=True)
class Ratios:
    """A ratio of sums for each of g groups.

    Attributes:
        values: (g,) ratio over all units; NaN where the denominators sum to 0.
        draws: (draws, g) ratios of the resamples; NaN likewise.
        smooth: (draws, g) ratios with a half added to each sum, for logarithms of rates that may be 0.
        units: (g,) number of units with a denominator.
        clusters: (g,) number of clusters with a denominator.
    """

    values: np.ndarray
    draws: np.ndarray
    smooth: np.ndarray
    units: np.ndarray
    clusters: np.ndarray

    def take(self, groups: slice | np.ndarray) -> "Ratios":
        """Selects groups."""
        return Ratios(
            self.values[groups],
            self.draws[:, groups],
            self.smooth[:, groups],
            self.units[groups],
            self.clusters[groups],
        )

    def interval(self, group: int) -> Interval:
        """Computes the 95 % percentile interval of one group, expanded for few clusters."""
        draws = self.draws[:, group]
        value, clusters = float(self.values[group]), int(self.clusters[group])
        low, high = _edges(draws[np.isfinite(draws)], clusters)
        return Interval(value, low, high, int(self.units[group]), clusters)


def resample(
    numerators: np.ndarray, denominators: np.ndarray, clusters: np.ndarray, *, draws: int = DRAWS, seed: int = 0
) -> Ratios:
    """Resamples clusters, and computes Σ numerators / Σ denominators of each group.

    Args:
        numerators: (n, g) numbers; those of units without a denominator do not count.
        denominators: (n, g) weights, 0 for a unit that does not belong to the group.
        clusters: (n,) cluster of each unit.
        draws: number of resamples.
        seed: seed of the draws.

    >>> resample(np.ones((4, 1)), np.ones((4, 1)), np.arange(4)).values
    array([1.])
    """
    belongs = denominators > 0
    numerators = np.where(belongs, numerators, 0.0)
    number = np.unique(clusters, return_inverse=True)[1]
    count = int(number.max(initial=-1)) + 1
    by_cluster = sparse.csr_array((np.ones(len(number)), (number, np.arange(len(number)))), (count, len(number)))
    sums = by_cluster @ np.hstack([numerators, denominators])
    groups = numerators.shape[1]
    rng, step = np.random.default_rng(seed), max(1, CELLS // max(count, 1))
    drawn_sums = np.empty((draws, 2 * groups))
    for start in range(0, draws, step):
        size = min(step, draws - start)
        drawn = rng.integers(0, max(count, 1), (size, count)) + np.arange(size)[:, None] * count
        drawn_sums[start : start + size] = (
            np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count) @ sums
        )
    top, bottom = drawn_sums[:, :groups], drawn_sums[:, groups:]
    with np.errstate(invalid="ignore", divide="ignore"):
        return Ratios(
            sums[:, :groups].sum(axis=0) / sums[:, groups:].sum(axis=0),
            top / bottom,
            (np.maximum(top, 0.0) + 0.5) / (bottom + 1.0),
            belongs.sum(axis=0),
            (sums[:, groups:] > 0).sum(axis=0),
        )


def largest_difference(ratios: Sequence[Ratios], *, is_share: Sequence[bool]) -> Interval:
    """Computes the largest difference between two groups, over one or several rates, with bounds for all pairs.

    Args:
        ratios: rates of the same groups.
        is_share: whether a rate is a share of units, of which 0 of few is not surely 0.
    """
    values, spreads, draws = [], [], []
    for ratio, share in zip(ratios, is_share, strict=True):
        first, second = np.triu_indices(len(ratio.values), 1)
        values.append(ratio.values[first] - ratio.values[second])
        draws.append(ratio.draws[:, first] - ratio.draws[:, second])
        least = _least_spread(ratio) if share else np.zeros(len(ratio.values))
        spreads.append(np.hypot(least[first], least[second]))
    differences, resampled = np.concatenate(values), np.concatenate(draws, axis=1)
    low, high = _bounds(differences, resampled, np.concatenate(spreads), _smallest(ratios))
    return Interval(float(np.abs(differences).max()), low, high, _units(ratios), _smallest(ratios))


def smallest_ratio(ratios: Ratios) -> Interval:
    """Computes the smallest rate divided by the largest, with bounds for all pairs; 1 if all are 0."""
    largest, smallest = float(ratios.values.max()), float(ratios.values.min())
    value = 1.0 if largest == 0 else smallest / largest
    first, second = np.triu_indices(len(ratios.values), 1)
    logs = np.log(ratios.smooth)
    center = np.nanmean(logs, axis=0)
    differences = center[first] - center[second]
    spread = _least_spread(ratios) / np.maximum(np.abs(ratios.values), 0.5 / np.maximum(ratios.units, 1))
    low, high = _bounds(
        differences, logs[:, first] - logs[:, second], np.hypot(spread[first], spread[second]), _smallest([ratios])
    )
    ends = float(np.exp(-high)), float(np.exp(-low))
    return Interval(value, min(ends[0], value), max(ends[1], value), _units([ratios]), _smallest([ratios]))


def _bounds(differences: np.ndarray, draws: np.ndarray, least: np.ndarray, clusters: int) -> tuple[float, float]:
    """Returns bounds of the largest absolute difference, from 95 % bounds that hold for all pairs at once."""
    spread = np.maximum(np.nanstd(draws, axis=0), least)
    with np.errstate(invalid="ignore", divide="ignore"):
        distances = np.where(spread > 0, np.abs(draws - differences) / spread, 0.0)
    together = max(float(np.nanquantile(np.nanmax(distances, axis=1), 0.95)), ALONE)
    width = together * t_over_normal(clusters) * spread
    return max(0.0, float((np.abs(differences) - width).max())), float((np.abs(differences) + width).max())


def _least_spread(ratios: Ratios) -> np.ndarray:
    """(g,) standard error of a share where all resamples agree: of (successes + 1) / (clusters + 2); else 0."""
    share = (np.clip(ratios.values, 0, 1) * ratios.clusters + 1) / (ratios.clusters + 2)
    agrees = np.nanstd(ratios.draws, axis=0) == 0
    return np.where(agrees, np.sqrt(share * (1 - share) / np.maximum(ratios.clusters, 1)), 0.0)


def _edges(draws: np.ndarray, clusters: int) -> tuple[float, float]:
    if clusters < 2 or not len(draws):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, tails(clusters))
    return float(low), float(high)


def _smallest(ratios: Sequence[Ratios]) -> int:
    return min(int(ratio.clusters.min()) for ratio in ratios)


def _units(ratios: Sequence[Ratios]) -> int:
    return max(int(ratio.units.sum()) for ratio in ratios)
