"""Have the last values ever looked like this: distance to the nearest of remembered windows.

Conformal anomaly detection by nearest neighbours, on a sample of a series' own past (V. Ishimtsev, I. Nazarov,
A. Bernstein, E. Burnaev, Conformal k-NN anomaly detector for univariate data streams, COPA 2017).
"""

import numpy as np

NEAREST = 3
EVERY = 5
"""Of so many windows one is remembered."""
ENOUGH = 10


def distance(windows: np.ndarray, kept: np.ndarray, newest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute difference (n,) to the ``NEAREST`` windows, and whether enough are remembered.

    Args:
        windows: (n, d, k) remembered, each value's windows side by side.
        kept: (n,) how many of them there are.
        newest: (n, d) the newest values.
    """
    apart = np.zeros(windows[:, 0].shape)
    for lag in range(windows.shape[1]):
        apart += np.abs(windows[:, lag] - newest[:, lag, None])
    apart[np.arange(windows.shape[2]) >= kept[:, None]] = np.inf
    near = np.partition(apart, NEAREST - 1, axis=1)[:, :NEAREST].mean(axis=1) / windows.shape[1]
    known = kept > ENOUGH
    return np.where(known, near, 0.0), known


def remember(windows: np.ndarray, kept: np.ndarray, newest: np.ndarray, count: np.ndarray, where: np.ndarray) -> None:
    """Remember some of the newest windows, in place; when all places are taken, each replaces one by chance.

    The chance follows from ``count`` (n,), the number of values so far, so that the same values give the same sample.
    """
    rows = np.flatnonzero(where & (count % EVERY == 0))
    places = windows.shape[2]
    mixed = (count[rows].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(33)
    slot = np.where(kept[rows] < places, kept[rows], (mixed % np.uint64(places)).astype(np.int64))
    windows[rows, :, slot] = newest[rows]
    kept[rows] = np.minimum(kept[rows] + 1, places)
