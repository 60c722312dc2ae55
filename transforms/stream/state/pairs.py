"""Pairs of codes as numbers."""

from itertools import repeat
from operator import itemgetter

import numpy as np

PARTS = 64
"""Dictionaries that pairs are spread over: one that is full is copied, and nothing else is done meanwhile."""


class Pairs:
    """Pairs of codes below 2³¹, numbered as they come.

    >>> pairs = Pairs()
    >>> pairs.numbers(np.array([3, 7, 3]), np.array([1, 0, 1])).tolist(), len(pairs)
    ([0, 1, 0], 2)
    """

    def __init__(self) -> None:
        self._known: list[dict[int, int]] = [{} for _ in range(PARTS)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def numbers(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n,) of pairs, new ones included."""
        parts = list(map(self._known.__getitem__, ((first ^ second) & (PARTS - 1)).tolist()))
        pairs = packed(first, second).tolist()
        found = np.array(list(map(dict.get, parts, pairs, repeat(-1))), np.int64)
        for place in np.flatnonzero(found < 0).tolist():
            found[place] = number = parts[place].setdefault(pairs[place], self._count)
            self._count += number == self._count
        return found

    def of_columns(self, *columns: tuple[str, np.ndarray]) -> np.ndarray:
        """The same of two columns with their names, in whatever order they are given."""
        (_, first), (_, second) = sorted(columns, key=itemgetter(0))
        return self.numbers(first, second)


def packed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) both as one integer, in the order of the first, then of the second."""
    return (first << 32) | second
