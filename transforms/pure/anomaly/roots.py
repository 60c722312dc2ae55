"""Square roots of series without negative values: counts, sizes, rates and durations vary more where they are large.

The root makes the variance of Poisson counts about the same at every level (M. S. Bartlett, The square root
transformation in analysis of variance, Supplement to the JRSS 3, 1936). It does not depend on the unit, and hardly
changes series that lie far from zero. A series is taken as it is from its first negative value on.
"""

import numpy as np


def take(values: np.ndarray, signed: np.ndarray) -> np.ndarray:
    """Roots of values (n, …) of the series that are not ``signed`` (n,); the values of the others.

    >>> take(np.array([9.0, -9.0]), np.array([False, True])).tolist()
    [3.0, -9.0]
    """
    return np.where(_beside(signed, values), values, np.sqrt(np.maximum(values, 0.0)))


def invert(roots: np.ndarray, signed: np.ndarray) -> np.ndarray:
    """The values (n, …) of roots; a root below zero, which only a forecast can be, is the value 0."""
    return np.where(_beside(signed, roots), roots, np.maximum(roots, 0.0) ** 2)


def leave(state: dict[str, np.ndarray], rows: np.ndarray) -> None:
    """Convert the state of series in whose past there were no negative values, in place.

    Remembered values are squared. Deviations are scaled by the slope of the square at the mean (delta method).

    Args:
        state: state of ``SeriesDetector``.
        rows: (n,) bool, which series.
    """
    if not rows.any():
        return
    slope = 2 * np.maximum(state["level_mean"][rows], 1e-9)
    for name in ("lags", "windows", "part_mean", "level_mean"):
        state[name][rows] = state[name][rows] ** 2
    for name in ("level", "off"):
        state[f"{name}_var"][rows] *= slope**2
    state["off_mean"][rows] *= slope


def _beside(signed: np.ndarray, values: np.ndarray) -> np.ndarray:
    return signed.reshape(-1, *[1] * (values.ndim - 1))
