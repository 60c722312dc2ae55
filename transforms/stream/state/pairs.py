"""Pairs of codes as numbers."""

from collections.abc import Mapping
from itertools import repeat

import numpy as np


class Pairs:
    """Pairs of codes below 2³¹, numbered as they come.

    >>> pairs = Pairs()
    >>> pairs.numbers(np.array([3, 7, 3]), np.array([1, 0, 1])).tolist(), len(pairs)
    ([0, 1, 0], 2)
    """

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def numbers(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n,) of pairs, new ones included."""
        known, pairs = self._known, packed(first, second).tolist()
        found = np.array(list(map(known.get, pairs, repeat(-1))), np.int64)
        for place in np.flatnonzero(found < 0).tolist():
            found[place] = known.setdefault(pairs[place], len(known))
        return found

    def of_columns(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The same of two columns by their names, in whatever order they are given."""
        first, second = (columns[name] for name in sorted(columns))
        return self.numbers(first, second)


def packed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) both as one integer, in the order of the first, then of the second."""
    return (first << 32) | second
