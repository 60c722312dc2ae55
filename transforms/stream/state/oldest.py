"""The oldest value of each key in a window."""

import numpy as np

from transforms.batch.windows.items import is_run_start
from transforms.stream.state.growing import Growing
from transforms.stream.state.hop_tiles import ByHop, find_sorted
from transforms.stream.state.words import Words

LATE = np.iinfo(np.int64).max


class Oldest:
    """The value of the oldest event that has one; among events of equal time, the first in the order of values.

    Args:
        hops: hop of each window, microseconds; 0 for a window that never ends.
        words: texts of the column; None if its values are integers.
    """

    def __init__(self, hops: list[int], words: Words | None) -> None:
        self._words, self._hops = words, hops
        self.neutral_row = np.array([LATE, -1])
        self._tiles = ByHop(hops, self)
        self._lifetime = Growing(np.int64, self.neutral_row, tail=(2,))

    def reduce_by_index(self, index: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Reduces rows of a time and a value to the oldest row of each index."""
        order = np.lexsort((self._ranks(rows[:, 1]), rows[:, 0], index))
        index, rows = index[order], rows[order]
        first = is_run_start(index)
        return index[first], rows[first]

    def combine(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(…, 2) the older row of each pair of rows."""
        is_right = (left[..., 0] == LATE) | (
            (right[..., 0] == left[..., 0]) & (self._ranks(right[..., 1]) < self._ranks(left[..., 1]))
        )
        return np.where((is_right | (right[..., 0] < left[..., 0]))[..., None], right, left)

    def _ranks(self, values: np.ndarray) -> np.ndarray:
        """Numbers that sort as the values do."""
        return values if self._words is None else self._words.ranks[values]

    def add(self, at: int, index: np.ndarray, rows: np.ndarray) -> None:
        """Adds the times and values of some keys (sorted, without repeats) within one hop."""
        if 0 in self._hops and len(index):
            lifetime = self._lifetime.upto(index)
            lifetime[index] = self.combine(lifetime[index], rows)
        self._tiles.put(at, index, rows)

    def read(self, window: int, keys: np.ndarray, start: float) -> tuple[np.ndarray, np.ndarray]:
        """(n,) values of a window that starts at ``start``, and whether a key has one; −1 for a key without."""
        if not self._hops[window]:
            lifetime = self._lifetime.upto(keys)[keys]
            return lifetime[:, 1], lifetime[:, 0] != LATE
        values, is_found = np.full(len(keys), -1), np.zeros(len(keys), bool)
        for _, index, rows in self._tiles.of_window(window).between(start, np.inf):
            missing = np.flatnonzero(~is_found)
            if not len(missing):
                break
            position, is_match = find_sorted(index, keys[missing])
            matched = missing[is_match]
            values[matched], is_found[matched] = rows[position[is_match], 1], True
        return values, is_found

    def drop(self, starts: np.ndarray) -> None:
        """Drops what no window contains any more."""
        self._tiles.drop(starts)
