"""How much one person may say: only the newest plays of a person and a track are counted, a fixed number of them.

The bound depends on nobody else's plays, so that sums of bounded plays are still sums over people: they are added and
subtracted exactly. It is no statistic that could be bounded afterwards: a sum over everybody has forgotten whose it is.
"""

import numpy as np


def newest_plays(user: np.ndarray, track: np.ndarray, most: int) -> np.ndarray:
    """(n,) True for the newest ``most`` plays of each person and track.

    Args:
        user: (n,) person of each play.
        track: (n,) track of each play; the plays of a person are in order of time.
        most: number of plays that count.

    >>> newest_plays(np.array([0, 0, 0, 1]), np.array([5, 5, 5, 5]), 2).tolist()
    [False, True, True, True]
    """
    order = np.lexsort((np.arange(len(user)), track, user))
    is_last = np.ones(len(order), bool)
    is_last[:-1] = (np.diff(user[order]) != 0) | (np.diff(track[order]) != 0)
    ends = np.flatnonzero(is_last)
    counted = np.zeros(len(order), bool)
    counted[order] = ends[np.searchsorted(ends, np.arange(len(order)))] - np.arange(len(order)) < most
    return counted
