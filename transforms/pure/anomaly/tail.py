"""The rarity of values: the share of earlier values that were at least as large, from a histogram of logarithms.

Memory is constant and the distribution may be any. In the upper ``TAIL`` of the values the histogram is too coarse;
there a Pareto tail extends it (B. M. Hill, A simple general approach to inference about the tail of a distribution,
Annals of Statistics 3, 1975).
"""

import numpy as np

from transforms.pure.anomaly.moments import clip

BINS = 96
LOWEST, HIGHEST = -6.0, 8.0
"""Range of the base-2 logarithm of a value."""
TAIL = 0.05
ENOUGH = 30
"""Number of values below which no value counts as rare."""
PRIOR_SLOPE, PRIOR_WEIGHT = 0.25, 1.0
"""Prior mean excess of the logarithm over the start of the tail, and its weight in values."""

_WIDTH = (HIGHEST - LOWEST) / (BINS - 1)
_NUMBERS = np.arange(BINS)
_EDGES = LOWEST + _WIDTH * _NUMBERS


def bins(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bin of each magnitude, and the position within the bin (0–1)."""
    position = clip((np.log2(np.maximum(values, 2.0**LOWEST)) - LOWEST) / _WIDTH, 0, BINS - 1)
    bin_number = position.astype(np.int64)
    return bin_number, position - bin_number


def exceedance(at_least: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Share of the earlier values that are at least as large as each value.

    Args:
        at_least: (…, BINS) number of earlier values in each bin or above it; descending.
        values: (…,) magnitudes.

    Returns:
        (…,) shares in (0, 1]; 1 where there are fewer than ``ENOUGH`` earlier values.
    """
    flat, total = at_least.reshape(-1, BINS), at_least[..., 0]
    row = np.arange(len(flat)).reshape(total.shape)
    bin_number, position = bins(values)
    here_or_above = flat[row, bin_number]
    above = np.where(bin_number + 1 < BINS, flat[row, np.minimum(bin_number + 1, BINS - 1)], 0)
    body = (here_or_above - (here_or_above - above) * position) / np.maximum(total, 1e-9)

    in_tail = at_least <= np.maximum(TAIL * total, 4)[..., None]
    start = np.minimum(BINS - in_tail.sum(axis=-1), BINS - 1)
    mass = flat[row, start]
    # summation by parts: the counts above each bin's edge, times the width of a bin
    excess = _WIDTH * (np.einsum("...b,...b->...", at_least, in_tail) - mass / 2)
    slope = (excess + PRIOR_WEIGHT * PRIOR_SLOPE) / (mass + PRIOR_WEIGHT)
    beyond = np.maximum(np.log2(np.maximum(values, 2.0**LOWEST)) - _EDGES[start], 0)
    tail = np.maximum(mass, 1) / (total + 2) * np.exp(-beyond / slope)

    share = clip(np.where(bin_number >= start, tail, body), 1e-30, 1)
    return np.where(total < ENOUGH, 1.0, share)


def add(at_least: np.ndarray, values: np.ndarray, fade: float, where: np.ndarray) -> None:
    """Count values, in place.

    Args:
        at_least: (n, c, BINS) as in ``exceedance``.
        values: (n, c) magnitudes.
        fade: factor of each earlier count.
        where: (n, c) whether a value is counted.
    """
    at_least *= np.where(where, fade, 1.0)[..., None].astype(at_least.dtype)
    at_least += (np.where(where, bins(values)[0], -1)[..., None] >= _NUMBERS).astype(at_least.dtype)
