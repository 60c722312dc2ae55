"""The oldest text of each key in a window."""

import numpy as np

from transforms.batch.windows.items import begins
from transforms.stream.state.growing import Growing
from transforms.stream.state.hop_tiles import ByHop, looked_up
from transforms.stream.state.words import Words

LATE = np.iinfo(np.int64).max


class Oldest:
    """Text of the oldest event that has one, the first by letters among equals in time.

    Args:
        hops: of each window, 0 for one that never ends.
        words: the texts.
    """

    def __init__(self, hops: list[int], words: Words) -> None:
        self._words, self._hops = words, hops
        self.nothing = np.array([LATE, -1])
        self._tiles = ByHop(hops, self)
        self._ever = Growing(np.int64, self.nothing, tail=(2,))

    def together(self, index: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The oldest of each index; a row is a time and a text."""
        order = np.lexsort((self._words.ranks[rows[:, 1]], rows[:, 0], index))
        index, rows = index[order], rows[order]
        first = begins(index)
        return index[first], rows[first]

    def joined(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """(…, 2) the older row of two each."""
        rank = self._words.ranks
        later = (one[..., 0] == LATE) | ((other[..., 0] == one[..., 0]) & (rank[other[..., 1]] < rank[one[..., 1]]))
        return np.where((later | (other[..., 0] < one[..., 0]))[..., None], other, one)

    def add(self, at: int, index: np.ndarray, rows: np.ndarray) -> None:
        """Times and texts of some keys (sorted, without repeats) within one hop."""
        if 0 in self._hops and len(index):
            ever = self._ever.upto(index)
            ever[index] = self.joined(ever[index], rows)
        self._tiles.put(at, index, rows)

    def read(self, window: int, keys: np.ndarray, start: float) -> np.ndarray:
        """(n,) codes of the texts, −1 without any."""
        if not self._hops[window]:
            ever = self._ever.upto(keys)[keys]
            return np.where(ever[:, 0] == LATE, -1, ever[:, 1])
        found = np.full(len(keys), -1)
        for _, index, rows in self._tiles.of(window).between(start, np.inf):
            missing = np.flatnonzero(found < 0)
            if not len(missing):
                break
            place, there = looked_up(index, keys[missing])
            found[missing[there]] = rows[place[there], 1]
        return found

    def drop(self, starts: np.ndarray) -> None:
        """Forget what no window holds any more."""
        self._tiles.drop(starts)
