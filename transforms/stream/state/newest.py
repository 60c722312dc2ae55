"""The newest texts of each key, with their times."""

import numpy as np

from transforms.batch.windows.lists import Lists, first_of_each
from transforms.stream.state.grouped import Grouped
from transforms.stream.state.growing import Growing
from transforms.stream.state.values import Values
from transforms.stream.state.words import Words

NEVER = np.iinfo(np.int64).min


class Newest:
    """The n newest events of each key that have a text, newest first, equals in time in the order of their letters.

    Args:
        words: the texts.
        n: how many.
    """

    def __init__(self, words: Words, n: int) -> None:
        self._words, self._n = words, n
        self._time, self._value = Growing(np.int64, NEVER, tail=(n,)), Growing(np.int64, -1, tail=(n,))

    def add(self, by_key: Grouped, value: np.ndarray, time: np.ndarray) -> None:
        """Events in any order, and how they belong to keys."""
        if not len(value):
            return
        keys, value, time = by_key.index, value[by_key.order], time[by_key.order]
        times, values = self._time.upto(keys), self._value.upto(keys)
        simple = (by_key.length == 1) & (time[by_key.first] > times[keys, 0])
        if simple.any():
            some, place = keys[simple], by_key.first[simple]
            for kept, new in ((times, time), (values, value)):
                rows = np.empty((len(some), self._n), np.int64)
                rows[:, 0], rows[:, 1:] = new[place], kept[some, :-1]
                kept[some] = rows
        if not simple.all():
            rest = ~simple
            mine = np.repeat(rest, by_key.length)
            self._merge(keys[rest], by_key.length[rest], value[mine], time[mine])

    def _merge(self, keys: np.ndarray, length: np.ndarray, value: np.ndarray, time: np.ndarray) -> None:
        """So many events of each key, one key's together."""
        owner = np.repeat(np.arange(len(keys)), length)
        times, values = self._time.upto(keys), self._value.upto(keys)
        before = np.flatnonzero((times[keys] != NEVER).ravel())
        owner = np.concatenate([before // self._n, owner])
        time = np.concatenate([times[keys].ravel()[before], time])
        value = np.concatenate([values[keys].ravel()[before], value])
        order = np.lexsort((self._words.ranks[value], -time, owner))
        lists = first_of_each(owner[order], (value[order], time[order]), len(keys), self._n)
        there = np.arange(self._n) < lists.length[:, None]
        for kept, found, nothing in ((times, lists.beside, NEVER), (values, lists.values, -1)):
            rows = np.full((len(keys), self._n), nothing)
            rows[there] = found
            kept[keys] = rows

    def read(self, keys: np.ndarray, starts: np.ndarray, n: int) -> Lists:
        """Texts and times of some keys (sorted), n at the most, from each of ``starts`` on, start by start."""
        times, values = self._time.upto(keys)[keys, :n], self._value.upto(keys)[keys, :n]
        there = (times != NEVER) & (times >= starts[:, None, None])
        place = np.flatnonzero(there) % times.size
        return Lists(there.sum(axis=2).ravel(), values.ravel()[place], times.ravel()[place])


def newest_distinct(values: Values, keys: np.ndarray, starts: np.ndarray, n: int) -> Lists:
    """The same of some keys (sorted, without repeats), each text once, where it was last."""
    slots, owner = values.of_keys(keys)
    value, last = values.value[slots], values.last[slots]
    order = np.lexsort((values.words.ranks[value], -last, owner))
    value, last, owner = value[order], last[order], owner[order]
    found = []
    for start in starts:
        some = last >= start
        found.append(first_of_each(owner[some], (value[some], last[some]), len(keys), n))
    return Lists.concat(found)
