"""How rare: the share of earlier values that were at least as large, from a histogram of their logarithms.

Memory is constant and nothing is assumed of the distribution. In the upper ``TAIL`` of what was seen the histogram is
too coarse, and a Pareto tail continues it (B. M. Hill, A simple general approach to inference about the tail of a
distribution, Annals of Statistics 3, 1975).
"""

import numpy as np

BINS = 96
LOWEST, HIGHEST = -6.0, 8.0
"""Of the base-2 logarithm of a value."""
TAIL = 0.05
ENOUGH = 30
"""Values before anything can be called rare."""
PRIOR_SLOPE, PRIOR_WEIGHT = 0.25, 1.0
"""Mean excess of the logarithm over the start of the tail, and for how many values it counts."""

_WIDTH = (HIGHEST - LOWEST) / (BINS - 1)
_NUMBERS = np.arange(BINS)
_EDGES = LOWEST + _WIDTH * _NUMBERS


def bins(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bin of each magnitude, and how far into it (0–1)."""
    place = np.clip((np.log2(np.maximum(values, 2.0**LOWEST)) - LOWEST) / _WIDTH, 0, BINS - 1)
    whole = place.astype(np.int64)
    return whole, place - whole


def exceedance(at_least: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Share of what was seen that is at least as large.

    Args:
        at_least: (…, BINS) how many earlier values lie in each bin or above it; descending.
        values: (…,) magnitudes.

    Returns:
        (…,) in (0, 1]; 1 where fewer than ``ENOUGH`` were seen.
    """
    flat, total = at_least.reshape(-1, BINS), at_least[..., 0]
    row = np.arange(len(flat)).reshape(total.shape)
    place, into = bins(values)
    here_or_above = flat[row, place]
    above = np.where(place + 1 < BINS, flat[row, np.minimum(place + 1, BINS - 1)], 0)
    body = (here_or_above - (here_or_above - above) * into) / np.maximum(total, 1e-9)

    in_tail = at_least <= np.maximum(TAIL * total, 4)[..., None]
    start = np.minimum(BINS - in_tail.sum(axis=-1), BINS - 1)
    mass = flat[row, start]
    # summed by parts: what lies above each bin's edge, times the width of a bin
    excess = _WIDTH * (np.einsum("...b,...b->...", at_least, in_tail) - mass / 2)
    slope = (excess + PRIOR_WEIGHT * PRIOR_SLOPE) / (mass + PRIOR_WEIGHT)
    beyond = np.maximum(np.log2(np.maximum(values, 2.0**LOWEST)) - _EDGES[start], 0)
    tail = np.maximum(mass, 1) / (total + 2) * np.exp(-beyond / slope)

    rare = np.clip(np.where(place >= start, tail, body), 1e-30, 1)
    return np.where(total < ENOUGH, 1.0, rare)


def add(at_least: np.ndarray, values: np.ndarray, fade: float, where: np.ndarray) -> None:
    """Count values, in place.

    Args:
        at_least: (n, c, BINS) as in ``exceedance``.
        values: (n, c) magnitudes.
        fade: what is left of each earlier count.
        where: (n, c) which of them count.
    """
    at_least *= np.where(where, fade, 1.0)[..., None].astype(at_least.dtype)
    at_least += (np.where(where, bins(values)[0], -1)[..., None] >= _NUMBERS).astype(at_least.dtype)
