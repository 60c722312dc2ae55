"""The texts of each key in each window with their counts: for distinct counts, most frequent and newest texts."""

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
    """Pairs of a key and a text, each with a slot of its own.

    Args:
        hops: hop of each window, microseconds; 0 for a window that never ends.
        words: texts of the column.
        pairs: numbers of the pairs of key and text; other tables may share them.
    """

    def __init__(self, hops: list[int], words: Words, pairs: Pairs) -> None:
        self.words, self.pairs = words, pairs
        self.counts = Sums(hops, 1)
        self._slot, self._count = Growing(np.int64, -1), 0
        self._key, self._value = Growing(np.int64), Growing(np.int64)
        self._last = Growing(np.int64, np.iinfo(np.int64).min)
        self._distinct = Growing(np.int64, tail=(len(hops),))
        self._sampled: list[dict[int, np.ndarray]] = [{} for _ in hops]
        self._by_key = ByKey()

    def __len__(self) -> int:
        return self._count

    @property
    def key(self) -> np.ndarray:
        """(slots,) codes of the keys."""
        return self._key.values(len(self))

    @property
    def value(self) -> np.ndarray:
        """(slots,) codes of the texts."""
        return self._value.values(len(self))

    @property
    def last(self) -> np.ndarray:
        """(slots,) time of the pair's last event, microseconds."""
        return self._last.values(len(self))

    @property
    def n(self) -> np.ndarray:
        """(slots, windows) numbers of events."""
        return self.counts.all(len(self))[:, :, 0]

    def add(self, at: int, texts: Texts, starts: np.ndarray) -> np.ndarray:
        """Adds the texts of one hop.

        Args:
            at: a moment within the hop, microseconds.
            texts: the texts, with the numbers of their pairs.
            starts: (windows,) first moments of the windows.

        Returns:
            Slots of the texts, without repeats, in the order of the keys.
        """
        assert texts.pair is not None
        pairs = Grouped.by(packed(texts.key, texts.value))
        slots = self._slots_of(pairs.index, texts.pair[pairs.order[pairs.first]])
        newest = self.last
        newest[slots] = np.maximum(newest[slots], pairs.maxima(texts.last))
        is_new = (self.n[slots] == 0) & (at >= starts)
        changed = np.flatnonzero(is_new.any(axis=1))
        self._update_distinct(slots[changed], is_new[changed].astype(np.int64))
        counts = pairs.length if texts.n is None else pairs.sums(texts.n)
        self.counts.add(at, slots, counts[:, None], starts)
        return slots

    def _slots_of(self, pairs: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """(n,) slots of pairs without repeats; new pairs get new slots.

        Args:
            pairs: (n,) keys and texts, see ``packed``.
            numbers: (n,) numbers of the pairs, see ``Pairs``.
        """
        slot = self._slot.values(len(self.pairs))
        slots = slot[numbers]
        new = np.flatnonzero(slots < 0)
        if len(new):
            before, new_pairs = self._count, pairs[new]
            self._count += len(new)
            slots[new] = slot[numbers[new]] = np.arange(before, self._count)
            self.key[before:], self.value[before:] = new_pairs >> 32, new_pairs & 0xFFFFFFFF
        return slots

    def leave(self, window: int, since: float, start: float) -> np.ndarray:
        """Removes the tiles that start from ``since`` up to ``start``; returns the slots whose counts fell."""
        removed = [index for _, index, _ in self.counts.leave(window, since, start)]
        if not removed:
            return np.zeros(0, np.int64)
        slots = np.unique(np.concatenate(removed))
        empty_slots = slots[self.n[slots, window] == 0]
        change = np.zeros((len(empty_slots), self._distinct.values(0).shape[1]), np.int64)
        change[:, window] = -1
        self._update_distinct(empty_slots, change)
        return slots

    def _update_distinct(self, slots: np.ndarray, change: np.ndarray) -> None:
        """Updates distinct counts after slots became non-empty (1) or empty (−1): ``change`` is (n, windows)."""
        key, windows = self.key[slots], change.shape[1]
        distinct = self._distinct.values(int(key.max(initial=-1)) + 1).reshape(-1)
        np.add.at(distinct, ((key * windows)[:, None] + np.arange(windows)).ravel(), change.ravel())
        for window, sampled in enumerate(self._sampled):
            for sampled_key in set(key.tolist()) & sampled.keys() if sampled else ():
                is_key = key == sampled_key
                levels = self.words.levels[self.value[slots[is_key]]]
                np.add.at(sampled[sampled_key], levels, change[is_key, window])

    def distinct(self, key: np.ndarray, exact: int) -> np.ndarray:
        """(n, windows) distinct counts of some keys (sorted); above ``exact``, estimates by adaptive sampling."""
        count = self._distinct.upto(key)[key]
        for place, window in np.argwhere(count > exact).tolist():
            at_least = np.cumsum(self._levels_of(window, int(key[place]))[::-1])[::-1]
            zeros = int(np.argmax(at_least <= exact))
            count[place, window] = at_least[zeros] << zeros
        return count

    def _levels_of(self, window: int, key: int) -> np.ndarray:
        """(65,) numbers of a key's texts by the count of trailing zeros of their hash; kept up to date from then on."""
        sampled = self._sampled[window]
        if key not in sampled:
            slots, _ = self.of_keys(np.array([key]))
            non_empty = slots[self.n[slots, window] > 0]
            sampled[key] = np.bincount(self.words.levels[self.value[non_empty]], minlength=_HASH_BITS)
        return sampled[key]

    def of_keys(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All slots of some keys (sorted, without repeats), and the position of each slot's key in ``keys``."""
        return self._by_key.find(keys, self.key)

    def drop(self, starts: np.ndarray) -> None:
        """Drops tiles that no window contains any more."""
        self.counts.drop(starts)
