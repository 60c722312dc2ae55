"""Distance of the last values of a series to the nearest of its remembered windows.

Conformal anomaly detection by nearest neighbours, on a sample of a series' own past (V. Ishimtsev, I. Nazarov,
A. Bernstein, E. Burnaev, Conformal k-NN anomaly detector for univariate data streams, COPA 2017).
"""

import numpy as np

NEAREST = 3
EVERY = 5
"""Interval in values at which a window is remembered."""
ENOUGH = 10


def distance(windows: np.ndarray, kept: np.ndarray, newest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute difference (n,) to the ``NEAREST`` windows, and whether enough are remembered.

    Args:
        windows: (n, d, k) remembered windows: k windows of d values for each series.
        kept: (n,) number of remembered windows.
        newest: (n, d) newest values.
    """
    distances = np.abs(windows[:, 0] - newest[:, 0, None])
    difference = np.empty_like(distances)
    for lag in range(1, windows.shape[1]):
        np.subtract(windows[:, lag], newest[:, lag, None], out=difference)
        distances += np.abs(difference, out=difference)
    distances[np.arange(windows.shape[2]) >= kept[:, None]] = np.inf
    distances.partition(NEAREST - 1, axis=1)
    nearest_mean = distances[:, :NEAREST].sum(axis=1) / NEAREST / windows.shape[1]
    is_known = kept > ENOUGH
    return np.where(is_known, nearest_mean, 0.0), is_known


def remember(windows: np.ndarray, kept: np.ndarray, newest: np.ndarray, count: np.ndarray, where: np.ndarray) -> None:
    """Store some of the newest windows, in place; when all slots are full, each replaces a pseudo-random one.

    The slot is a hash of ``count`` (n,), the number of values so far, so that the same values give the same sample.
    """
    rows = np.flatnonzero(where & (count % EVERY == 0))
    slots = windows.shape[2]
    hashed = (count[rows].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(33)
    slot = np.where(kept[rows] < slots, kept[rows], (hashed % np.uint64(slots)).astype(np.int64))
    windows[rows, :, slot] = newest[rows]
    kept[rows] = np.minimum(kept[rows] + 1, slots)
