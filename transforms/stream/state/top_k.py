"""The most frequent texts of each key in each window, kept as counts change."""

from collections.abc import Iterator, Sequence

import numpy as np

from transforms.batch.windows.items import runs
from transforms.batch.windows.lists import Lists
from transforms.stream.state.growing import Growing
from transforms.stream.state.values import Values

ALIKE = 8
"""Keys are sorted together if none has more than this many times the texts of another."""


class TopK:
    """The k most frequent texts of each key; texts of equal count in the order of their letters.

    A count that rises can bring only its own text into the list, so it is compared with the texts on the list alone, in
    all windows at once. After the count of a text on the list has fallen, all texts of its key are compared when the
    key is next read.

    Args:
        values: the texts of each key, with their counts.
        windows: numbers of the windows, a selection of the windows of ``values``.
        k: length of the lists.
    """

    def __init__(self, values: Values, windows: Sequence[int], k: int) -> None:
        self._values, self._windows, self._k = values, np.array(windows), k
        self._top = Growing(np.int64, -1, tail=(len(windows), k))
        self._stale = Growing(np.bool_, False)
        self._is_candidate = Growing(np.bool_, False)

    def counts_rose(self, slots: np.ndarray) -> None:
        """Updates the lists after counts of slots have risen; slots have no repeats and are ordered by key."""
        key = self._values.key[slots]
        first, length = runs(key)
        self._update(key[first], slots, length)

    def counts_fell(self, window: int, slots: np.ndarray) -> None:
        """Marks the lists that contain slots whose counts have fallen in a window."""
        keys = self._values.key[slots]
        stop = int(keys.max(initial=-1)) + 1
        columns = np.flatnonzero(self._windows == window)
        is_listed = (self._top.values(stop)[:, columns][keys] == slots[:, None, None]).any(axis=(1, 2))
        self._stale.values(stop)[keys[is_listed]] = True

    def read(self, keys: np.ndarray) -> Lists:
        """Texts and counts of some keys (sorted, without repeats), window by window."""
        stale = self._stale.upto(keys)
        stale_keys = keys[stale[keys]]
        if len(stale_keys):
            slots, owner = self._values.of_keys(stale_keys)
            self._top.upto(stale_keys)[stale_keys] = -1
            counts = np.bincount(owner, minlength=len(stale_keys))
            self._update(stale_keys, slots[np.argsort(owner, kind="stable")], counts)
            stale[stale_keys] = False
        top = self._top.upto(keys)[keys].swapaxes(0, 1)
        is_filled = top >= 0
        slots, length = top[is_filled], is_filled.sum(axis=2)
        windows = np.repeat(self._windows, length.sum(axis=1))
        return Lists(length.ravel(), self._values.value[slots], self._values.n[slots, windows])

    def _update(self, keys: np.ndarray, slots: np.ndarray, counts: np.ndarray) -> None:
        """Updates the lists of some keys (sorted) with candidate slots, key by key: ``counts`` slots for each key."""
        top, is_candidate = self._top.upto(keys), self._is_candidate.values(len(self._values))
        is_candidate[slots] = True
        begin = np.cumsum(counts) - counts
        for group in _groups_of_similar_size(counts):
            width = int(counts[group].max())
            place = np.arange(width)
            is_filled = place < counts[group, None]
            new = np.where(is_filled, slots[np.where(is_filled, begin[group, None] + place, 0)], -1)
            before = top[keys[group]]
            before[is_candidate[before]] = -1  # it is among the new ones
            candidates = np.empty((len(group), len(self._windows), self._k + width), np.int64)
            candidates[..., : self._k], candidates[..., self._k :] = before, new[:, None]
            top[keys[group]] = self._best(candidates)
        is_candidate[slots] = False

    def _best(self, slots: np.ndarray) -> np.ndarray:
        """(keys, windows, k) the first k of (keys, windows, n) slots; −1 stands for no slot."""
        counts = np.where(slots < 0, 0, self._values.n[slots, self._windows[:, None]])
        ranks = self._values.words.ranks[self._values.value[slots]]
        order = np.lexsort((ranks, -counts))[..., : self._k]
        order += (np.arange(slots[..., 0].size) * slots.shape[2]).reshape(*slots.shape[:2], 1)
        return np.where(counts.ravel()[order] > 0, slots.ravel()[order], -1)


def _groups_of_similar_size(counts: np.ndarray) -> Iterator[np.ndarray]:
    """Groups keys by similar counts, so that their rectangular arrays need little padding; yields their positions."""
    if not len(counts):
        return
    if counts.max() <= ALIKE:
        yield np.arange(len(counts))
        return
    size_class = (np.log2(np.maximum(counts, 1)) / np.log2(ALIKE)).astype(np.int64)
    for group_class in np.unique(size_class):
        yield np.flatnonzero(size_class == group_class)
