"""Which texts each key has in each window, and how often: for distinct counts, the most frequent, and the newest."""

import numpy as np

from transforms.stream.state.additions import Texts
from transforms.stream.state.by_key import ByKey
from transforms.stream.state.grouped import Grouped
from transforms.stream.state.growing import Growing
from transforms.stream.state.pairs import Pairs, packed
from transforms.stream.state.sums import Sums
from transforms.stream.state.words import Words

_HASH_BITS = 65


class Values:
    """Pairs of a key and a text, each with a place of its own (its slot).

    Args:
        hops: of each window, 0 for one that never ends.
        words: the texts.
        pairs: numbers of the pairs of keys and texts; others may have them, too.
    """

    def __init__(self, hops: list[int], words: Words, pairs: Pairs) -> None:
        self.words, self.pairs = words, pairs
        self.counts = Sums(hops, 1)
        self._slot, self._count = Growing(np.int64, -1), 0
        self._key, self._value = Growing(np.int64), Growing(np.int64)
        self._last = Growing(np.int64, np.iinfo(np.int64).min)
        self._distinct = Growing(np.int64, tail=(len(hops),))
        self._crowded: list[dict[int, np.ndarray]] = [{} for _ in hops]
        self._by_key = ByKey()

    def __len__(self) -> int:
        return self._count

    @property
    def key(self) -> np.ndarray:
        """(slots,) whose it is."""
        return self._key.values(len(self))

    @property
    def value(self) -> np.ndarray:
        """(slots,) codes of the texts."""
        return self._value.values(len(self))

    @property
    def last(self) -> np.ndarray:
        """(slots,) when it was last, microseconds."""
        return self._last.values(len(self))

    @property
    def n(self) -> np.ndarray:
        """(slots, windows) how often."""
        return self.counts.all(len(self))[:, :, 0]

    def add(self, at: int, came: Texts, starts: np.ndarray) -> np.ndarray:
        """Texts that came within one hop.

        Args:
            at: a moment in it.
            came: which, their pairs numbered.
            starts: (windows,) first moment of each.

        Returns:
            Their slots, without repeats, in the order of the keys.
        """
        assert came.pair is not None
        pairs = Grouped.by(packed(came.key, came.value))
        slots = self._slots_of(pairs.index, came.pair[pairs.order[pairs.first]])
        newest = self.last
        newest[slots] = np.maximum(newest[slots], pairs.largest(came.last))
        fresh = (self.n[slots] == 0) & (at >= starts)
        some = np.flatnonzero(fresh.any(axis=1))
        self._changed(slots[some], fresh[some].astype(np.int64))
        often = pairs.length if came.n is None else pairs.added(came.n)
        self.counts.add(at, slots, often[:, None], starts)
        return slots

    def _slots_of(self, pairs: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """(n,) of pairs without repeats, new ones included; as keys and texts, and by their numbers."""
        slot = self._slot.values(len(self.pairs))
        slots = slot[numbers]
        new = np.flatnonzero(slots < 0)
        if len(new):
            before, fresh = self._count, pairs[new]
            self._count += len(new)
            slots[new] = slot[numbers[new]] = np.arange(before, self._count)
            self.key[before:], self.value[before:] = fresh >> 32, fresh & 0xFFFFFFFF
        return slots

    def leave(self, window: int, since: float, start: float) -> np.ndarray:
        """Take away what begins from ``since`` up to ``start``. Returns the slots that became fewer."""
        gone = [index for _, index, _ in self.counts.leave(window, since, start)]
        if not gone:
            return np.zeros(0, np.int64)
        fewer = np.unique(np.concatenate(gone))
        none = fewer[self.n[fewer, window] == 0]
        by = np.zeros((len(none), self._distinct.values(0).shape[1]), np.int64)
        by[:, window] = -1
        self._changed(none, by)
        return fewer

    def _changed(self, slots: np.ndarray, by: np.ndarray) -> None:
        """Slots that are among the distinct ones of a window from now on, or are not any more: (n, windows) 1 or −1."""
        key, windows = self.key[slots], by.shape[1]
        distinct = self._distinct.values(int(key.max(initial=-1)) + 1).reshape(-1)
        np.add.at(distinct, ((key * windows)[:, None] + np.arange(windows)).ravel(), by.ravel())
        for window, crowded in enumerate(self._crowded):
            for one in set(key.tolist()) & crowded.keys() if crowded else ():
                mine = key == one
                levels = self.words.levels[self.value[slots[mine]]]
                np.add.at(crowded[one], levels, by[mine, window])

    def distinct(self, key: np.ndarray, exact: int) -> np.ndarray:
        """(n, windows) how many texts of some keys (sorted); beyond ``exact`` by adaptive sampling."""
        count = self._distinct.upto(key)[key]
        for place, window in np.argwhere(count > exact).tolist():
            at_least = np.cumsum(self._levels_of(window, int(key[place]))[::-1])[::-1]
            zeros = int(np.argmax(at_least <= exact))
            count[place, window] = at_least[zeros] << zeros
        return count

    def _levels_of(self, window: int, key: int) -> np.ndarray:
        """(65,) how many texts of a key have hashes that end in so many zeros; kept up to date from then on."""
        crowded = self._crowded[window]
        if key not in crowded:
            mine, _ = self.of_keys(np.array([key]))
            there = mine[self.n[mine, window] > 0]
            crowded[key] = np.bincount(self.words.levels[self.value[there]], minlength=_HASH_BITS)
        return crowded[key]

    def of_keys(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All slots of some keys (sorted, without repeats), and the place of each one's key among them."""
        return self._by_key.of(keys, self.key)

    def drop(self, starts: np.ndarray) -> None:
        """Forget what no window holds any more."""
        self.counts.drop(starts)
