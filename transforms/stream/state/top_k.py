"""The most frequent texts of each key in each window, kept as counts change."""

from collections.abc import Iterator, Sequence

import numpy as np

from transforms.batch.windows.items import runs
from transforms.batch.windows.lists import Lists
from transforms.stream.state.growing import Growing
from transforms.stream.state.values import Values

ALIKE = 8
"""Keys are sorted together if the longest has at most so many times the texts of the shortest."""


class TopK:
    """The k first texts of each key: the most frequent, equals in the order of their letters.

    A count that grows can bring its own text among the first, no other; so those are compared with the first ones
    alone, in all windows at once. After one of the first ones became fewer, all texts of its key are looked at when it
    is next asked for.

    Args:
        values: whose counts.
        windows: numbers of the windows, some of the values'.
        k: how many.
    """

    def __init__(self, values: Values, windows: Sequence[int], k: int) -> None:
        self._values, self._windows, self._k = values, np.array(windows), k
        self._first = Growing(np.int64, -1, tail=(len(windows), k))
        self._doubtful = Growing(np.bool_, False)
        self._came = Growing(np.bool_, False)

    def grew(self, slots: np.ndarray) -> None:
        """Slots, without repeats and in the order of their keys, that were counted more often."""
        key = self._values.key[slots]
        first, length = runs(key)
        self._compare(key[first], slots, length)

    def fell(self, window: int, slots: np.ndarray) -> None:
        """Slots that were counted less often in a window."""
        keys = self._values.key[slots]
        top = int(keys.max(initial=-1)) + 1
        mine = np.flatnonzero(self._windows == window)
        among = (self._first.values(top)[:, mine][keys] == slots[:, None, None]).any(axis=(1, 2))
        self._doubtful.values(top)[keys[among]] = True

    def read(self, keys: np.ndarray) -> Lists:
        """Texts and counts of some keys, sorted and without repeats: all lists of the first window, then on."""
        doubtful = self._doubtful.upto(keys)
        again = keys[doubtful[keys]]
        if len(again):
            slots, owner = self._values.of_keys(again)
            self._first.upto(again)[again] = -1
            self._compare(again, slots[np.argsort(owner, kind="stable")], np.bincount(owner, minlength=len(again)))
            doubtful[again] = False
        first = self._first.upto(keys)[keys].swapaxes(0, 1)
        there = first >= 0
        slots, length = first[there], there.sum(axis=2)
        windows = np.repeat(self._windows, length.sum(axis=1))
        return Lists(length.ravel(), self._values.value[slots], self._values.n[slots, windows])

    def _compare(self, keys: np.ndarray, slots: np.ndarray, many: np.ndarray) -> None:
        """Put the first ones of some keys (sorted) anew, of those before and these, each one's together."""
        firsts, came = self._first.upto(keys), self._came.values(len(self._values))
        came[slots] = True
        begin = np.cumsum(many) - many
        for some in _alike(many):
            width = int(many[some].max())
            place = np.arange(width)
            there = place < many[some, None]
            fresh = np.where(there, slots[np.where(there, begin[some, None] + place, 0)], -1)
            before = firsts[keys[some]]
            before[came[before]] = -1  # it stands among these
            candidates = np.empty((len(some), len(self._windows), self._k + width), np.int64)
            candidates[..., : self._k], candidates[..., self._k :] = before, fresh[:, None]
            firsts[keys[some]] = self._best(candidates)
        came[slots] = False

    def _best(self, slots: np.ndarray) -> np.ndarray:
        """(keys, windows, k) of (keys, windows, n) slots, −1 for none."""
        counts = np.where(slots < 0, 0, self._values.n[slots, self._windows[:, None]])
        ranks = self._values.words.ranks[self._values.value[slots]]
        order = np.lexsort((ranks, -counts))[..., : self._k]
        order += (np.arange(slots[..., 0].size) * slots.shape[2]).reshape(*slots.shape[:2], 1)
        return np.where(counts.ravel()[order] > 0, slots.ravel()[order], -1)


def _alike(many: np.ndarray) -> Iterator[np.ndarray]:
    """Places of keys with numbers that are not too different, so that their rectangles hold little air."""
    if not len(many):
        return
    if many.max() <= ALIKE:
        yield np.arange(len(many))
        return
    step = (np.log2(np.maximum(many, 1)) / np.log2(ALIKE)).astype(np.int64)
    for one in np.unique(step):
        yield np.flatnonzero(step == one)
