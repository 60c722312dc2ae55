"""The newest values of each key, with their times."""

import numpy as np

from transforms.batch.windows.lists import Lists, first_of_each
from transforms.stream.state.grouped import Grouped
from transforms.stream.state.growing import Growing
from transforms.stream.state.values import Values
from transforms.stream.state.words import Words

NEVER = np.iinfo(np.int64).min


class Newest:
    """The n newest events of each key that have a value, newest first; events of equal time in the order of values.

    Args:
        words: texts of the column; None if its values are integers.
        n: number of events kept for each key.
    """

    def __init__(self, words: Words | None, n: int) -> None:
        self._words, self._n = words, n
        self._time, self._value = Growing(np.int64, NEVER, tail=(n,)), Growing(np.int64, -1, tail=(n,))

    def add(self, by_key: Grouped, value: np.ndarray, time: np.ndarray) -> None:
        """Adds events in any order; ``by_key`` groups them by key."""
        if not len(value):
            return
        keys, value, time = by_key.index, value[by_key.order], time[by_key.order]
        times, values = self._time.upto(keys), self._value.upto(keys)
        prepends = (by_key.length == 1) & (time[by_key.first] > times[keys, 0])
        if prepends.any():
            prepend_keys, place = keys[prepends], by_key.first[prepends]
            for stored, new in ((times, time), (values, value)):
                rows = np.empty((len(prepend_keys), self._n), np.int64)
                rows[:, 0], rows[:, 1:] = new[place], stored[prepend_keys, :-1]
                stored[prepend_keys] = rows
        if not prepends.all():
            merges = ~prepends
            event_mask = np.repeat(merges, by_key.length)
            self._merge(keys[merges], by_key.length[merges], value[event_mask], time[event_mask])

    def _merge(self, keys: np.ndarray, length: np.ndarray, value: np.ndarray, time: np.ndarray) -> None:
        """Merges events into the lists of their keys: ``length`` events of each key, key by key."""
        owner = np.repeat(np.arange(len(keys)), length)
        times, values = self._time.upto(keys), self._value.upto(keys)
        before = np.flatnonzero((times[keys] != NEVER).ravel())
        owner = np.concatenate([before // self._n, owner])
        time = np.concatenate([times[keys].ravel()[before], time])
        value = np.concatenate([values[keys].ravel()[before], value])
        order = np.lexsort((value if self._words is None else self._words.ranks[value], -time, owner))
        lists = first_of_each(owner[order], (value[order], time[order]), len(keys), self._n)
        is_filled = np.arange(self._n) < lists.length[:, None]
        for stored, merged, fill in ((times, lists.numbers, NEVER), (values, lists.values, -1)):
            rows = np.full((len(keys), self._n), fill)
            rows[is_filled] = merged
            stored[keys] = rows

    def read(self, keys: np.ndarray, starts: np.ndarray, n: int) -> Lists:
        """Values and times of at most n events of each key (sorted) from each of ``starts`` on, start by start."""
        times, values = self._time.upto(keys)[keys, :n], self._value.upto(keys)[keys, :n]
        inside = (times != NEVER) & (times >= starts[:, None, None])
        place = np.flatnonzero(inside) % times.size
        return Lists(inside.sum(axis=2).ravel(), values.ravel()[place], times.ravel()[place])


def newest_distinct(values: Values, keys: np.ndarray, starts: np.ndarray, n: int) -> Lists:
    """Newest distinct texts of each key, with the time of each text's last event.

    Args:
        values: the texts of each key.
        keys: codes of the keys, sorted, without repeats.
        starts: (windows,) first moments of the windows.
        n: largest length of a list.

    Returns:
        The lists of all keys, window by window.
    """
    slots, owner = values.of_keys(keys)
    value, last = values.value[slots], values.last[slots]
    order = np.lexsort((values.words.ranks[value], -last, owner))
    value, last, owner = value[order], last[order], owner[order]
    lists = []
    for start in starts:
        inside = last >= start
        lists.append(first_of_each(owner[inside], (value[inside], last[inside]), len(keys), n))
    return Lists.concat(lists)
