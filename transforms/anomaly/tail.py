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
_EDGES = LOWEST + _WIDTH * np.arange(BINS)


def bins(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bin of each magnitude, and how far into it (0–1)."""
    place = np.clip((np.log2(np.maximum(values, 2.0**LOWEST)) - LOWEST) / _WIDTH, 0, BINS - 1)
    whole = place.astype(np.int64)
    return whole, place - whole


def exceedance(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Share of what was seen that is at least as large.

    Args:
        counts: (…, BINS) of earlier values.
        values: (…,) magnitudes.

    Returns:
        (…,) in (0, 1]; 1 where fewer than ``ENOUGH`` were seen.
    """
    total = counts.sum(axis=-1)
    at_least = np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]
    place, into = bins(values)
    here = np.take_along_axis(counts, place[..., None], axis=-1)[..., 0]
    above = np.take_along_axis(at_least, place[..., None], axis=-1)[..., 0] - here
    body = (above + here * (1 - into)) / np.maximum(total, 1e-9)

    start = (at_least <= np.maximum(TAIL * total, 4)[..., None]).argmax(axis=-1)
    mass = np.take_along_axis(at_least, start[..., None], axis=-1)[..., 0]
    in_tail = np.where(np.arange(BINS) >= start[..., None], counts, 0)
    excess = (in_tail @ _EDGES) - mass * (_EDGES[start] - _WIDTH / 2)
    slope = (excess + PRIOR_WEIGHT * PRIOR_SLOPE) / (mass + PRIOR_WEIGHT)
    beyond = np.maximum(np.log2(np.maximum(values, 2.0**LOWEST)) - _EDGES[start], 0)
    tail = np.maximum(mass, 1) / (total + 2) * np.exp(-beyond / slope)

    rare = np.clip(np.where(place >= start, tail, body), 1e-30, 1)
    return np.where(total < ENOUGH, 1.0, rare)


def add(counts: np.ndarray, values: np.ndarray, fade: float, where: np.ndarray) -> None:
    """Count values, in place.

    Args:
        counts: (n, c, BINS).
        values: (n, c) magnitudes.
        fade: what is left of each earlier count.
        where: (n, c) which of them count.
    """
    counts *= np.where(where, fade, 1.0)[..., None].astype(counts.dtype)
    row, column = np.nonzero(where)
    counts[row, column, bins(values)[0][row, column]] += 1
