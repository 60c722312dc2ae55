"""Numbers for pairs of codes."""

from itertools import repeat
from operator import itemgetter

import numpy as np

PARTS = 64
"""Dictionaries that pairs are spread over: a full dictionary is copied, and the stream does nothing else meanwhile."""


class Pairs:
    """Numbers of pairs of codes below 2³¹, assigned in the order in which the pairs first appear.

    >>> pairs = Pairs()
    >>> pairs.numbers(np.array([3, 7, 3]), np.array([1, 0, 1])).tolist(), len(pairs)
    ([0, 1, 0], 2)
    """

    def __init__(self) -> None:
        self._dictionaries: list[dict[int, int]] = [{} for _ in range(PARTS)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def numbers(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n,) numbers of pairs; new pairs get the next numbers."""
        dictionaries = list(map(self._dictionaries.__getitem__, ((first ^ second) & (PARTS - 1)).tolist()))
        pairs = packed(first, second).tolist()
        numbers = np.array(list(map(dict.get, dictionaries, pairs, repeat(-1))), np.int64)
        for place in np.flatnonzero(numbers < 0).tolist():
            numbers[place] = number = dictionaries[place].setdefault(pairs[place], self._count)
            self._count += number == self._count
        return numbers

    def of_columns(self, *columns: tuple[str, np.ndarray]) -> np.ndarray:
        """(n,) numbers of the pairs of two named columns; the order of the columns does not matter."""
        (_, first), (_, second) = sorted(columns, key=itemgetter(0))
        return self.numbers(first, second)


def packed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) both codes in one integer, which sorts by the first code, then by the second."""
    return (first << 32) | second
