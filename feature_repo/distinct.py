"""Distinct whole numbers in ascending order, several times as fast for hundreds of them as ``numpy.unique``.

``numpy.unique`` hashes; numbers of tracks are few, and often in order already.
"""

import numpy as np


def distinct(numbers: np.ndarray) -> np.ndarray:
    """Returns the (m,) distinct ones of (n,) whole numbers, ascending; the same array if it is so already.

    >>> distinct(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    if (numbers[1:] > numbers[:-1]).all():
        return numbers
    ascending = np.sort(numbers)
    return ascending[np.concatenate([[True], ascending[1:] != ascending[:-1]])]


def is_among(rows: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Returns, (n,), whether each number is one of some numbers in ascending order.

    >>> is_among(np.array([5, 2]), np.array([1, 2, 3])).tolist()
    [False, True]
    """
    if not len(ascending):
        return np.zeros(len(rows), bool)
    nearest = np.minimum(np.searchsorted(ascending, rows), len(ascending) - 1)
    return np.asarray(ascending[nearest] == rows)


def without(ascending: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the (n,) mask of the numbers, ascending and distinct, that are none of some others; for few others.

    >>> without(np.array([1, 2, 3]), np.array([5, 2])).tolist()
    [True, False, True]
    """
    is_left = np.ones(len(ascending), bool)
    if len(ascending):
        nearest = np.minimum(np.searchsorted(ascending, others), len(ascending) - 1)
        is_left[nearest[ascending[nearest] == others]] = False
    return is_left
