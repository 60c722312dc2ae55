"""The most frequent texts of each key in one window, kept as counts change."""

import numpy as np

from transforms.stream.state.growing import Growing
from transforms.stream.state.values import Values
from transforms.windows.lists import Lists, first_of_each


class TopK:
    """The k first texts of each key: the most frequent, equals in the order of their letters.

    A count that grows can bring its own text among the first, no other; so those are compared with the first ones
    alone. After one of the first ones became fewer, all texts of its key are looked at when it is next asked for.

    Args:
        values: whose counts.
        window: number of the window.
        k: how many.
    """

    def __init__(self, values: Values, window: int, k: int) -> None:
        self._values, self._window, self._k = values, window, k
        self._first = Growing(np.int64, -1, tail=(k,))
        self._doubtful = Growing(np.bool_, False)

    def grew(self, slots: np.ndarray) -> None:
        """Slots, without repeats, that were counted more often."""
        keys, owner = np.unique(self._values.key[slots], return_inverse=True)
        top = int(keys.max(initial=-1)) + 1
        first = self._first.values(top)[keys]
        # what is among the first already is compared once, as a slot that grew
        order = np.argsort(owner, kind="stable")
        again = np.isin(first, slots)
        kept = (first >= 0) & ~again
        place = np.flatnonzero(kept.ravel())
        all_owner = np.concatenate([place // self._k, owner[order]])
        self._put(keys, all_owner, np.concatenate([first.ravel()[place], slots[order]]))

    def fell(self, slots: np.ndarray) -> None:
        """Slots that were counted less often."""
        keys = self._values.key[slots]
        top = int(keys.max(initial=-1)) + 1
        among = (self._first.values(top)[keys] == slots[:, None]).any(axis=1)
        self._doubtful.values(top)[keys[among]] = True

    def read(self, keys: np.ndarray) -> Lists:
        """Texts and counts of some keys, sorted and without repeats."""
        top = int(keys.max(initial=-1)) + 1
        doubtful = self._doubtful.values(top)
        again = keys[doubtful[keys]]
        if len(again):
            slots, owner = self._values.of_keys(again)
            self._first.values(top)[again] = -1
            self._put(again, owner, slots)
            doubtful[again] = False
        first = self._first.values(top)[keys]
        there = first >= 0
        slots = first[there]
        counts = self._values.counts.read(self._window, slots)[:, 0]
        return Lists(there.sum(axis=1), self._values.value[slots], counts)

    def _put(self, keys: np.ndarray, owner: np.ndarray, slots: np.ndarray) -> None:
        counts = self._values.counts.read(self._window, slots)[:, 0]
        some = counts > 0
        owner, slots, counts = owner[some], slots[some], counts[some]
        ranks = self._values.words.ranks[self._values.value[slots]]
        order = np.lexsort((ranks, -counts, owner))
        lists = first_of_each(owner[order], (slots[order], counts[order]), len(keys), self._k)
        first = np.full((len(keys), self._k), -1)
        first[np.arange(self._k) < lists.length[:, None]] = lists.values
        self._first.values(int(keys.max(initial=-1)) + 1)[keys] = first
