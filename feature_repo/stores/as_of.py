"""As-of join by slots: the newest row at or before each moment, found in one pass and without sorting the history.

The distinct (key, moment) pairs that are asked for, sorted, are the slots. Every row of the history belongs to just
one slot: the first of its key at or after the time from which the row counts. A slot keeps the best row that it was
offered; once all rows were offered, a running maximum within each key carries the best row on to the slots after it.
Work grows as (slots + rows) · log slots, memory with the slots alone, and the rows may come in any order.

Keys are codes 0, 1, 2 …; moments and times are 64-bit integers (microseconds since 1970).
"""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

LOWEST = np.iinfo(np.int64).min
_HIGHEST = np.iinfo(np.int64).max
NO_ROW = -1


class Slots:
    """The distinct (key, moment) pairs of a spine, sorted by both; after the last of each key a slot for what is later.

    Args:
        codes: (spine rows,) of the keys; negative where a row has no key or no moment.
        moments: (spine rows,).

    Attributes:
        codes: (slots,) ascending.
        moments: (slots,) ascending within a code.
        of_row: (spine rows,) slot of each row, -1 where it has none.
        is_asked: (slots,) false for the slots that only take what is later than all that is asked.
    """

    def __init__(self, codes: Integers, moments: Integers) -> None:
        asked = np.flatnonzero(codes >= 0)
        codes_asked, moments_asked = codes[asked], moments[asked]
        keys = np.flatnonzero(np.bincount(codes_asked))
        self._number(keys, moments_asked)
        beyond = self._place(keys, np.full(len(keys), self._per_key - 1))
        places = np.concatenate([self._place(codes_asked, self._tick(moments_asked)), beyond])
        order = np.argsort(places)
        ordered = places[order]
        is_new = np.ones(len(ordered), dtype=bool)
        is_new[1:] = ordered[1:] != ordered[:-1]
        first = order[is_new]
        self._places = ordered[is_new]
        self.is_asked = first < len(asked)
        self.codes = np.concatenate([codes_asked, keys])[first]
        self.moments = np.concatenate([moments_asked, np.full(len(keys), self._last)])[first]
        slots = np.empty(len(order), dtype=np.int64)
        slots[order] = np.cumsum(is_new) - 1
        self.of_row = np.full(len(codes), -1, dtype=np.int64)
        self.of_row[asked] = slots[: len(asked)]

    def __len__(self) -> int:
        return len(self.codes)

    def locate(self, codes: Integers, times: Integers) -> tuple[Integers, Integers]:
        """The first slot of each key at or after a time.

        Args:
            codes: (rows,) of keys that the spine has.
            times: (rows,).

        Returns:
            An order of the rows, and in that order their slots, ascending. Both (rows,).
        """
        places = self._place(codes, self._tick(times))
        order = np.argsort(places)  # a binary search runs ten times faster over sorted needles, and sorting is cheap
        return order, np.searchsorted(self._places, places[order])

    def _number(self, keys: Integers, moments: Integers) -> None:
        """Number the moments so that key and number fit one integer: as they are, by common divisor, or by rank."""
        self._first: np.int64 = moments.min() if len(moments) else np.int64(0)
        self._last: np.int64 = moments.max() if len(moments) else np.int64(0)
        self._ranks: Integers | None = None
        self._step = 1
        most, span = int(keys.max(initial=0)) + 1, int(self._last) - int(self._first)
        if most * (span + 2) > _HIGHEST >= span:
            self._step = max(int(np.gcd.reduce(moments - self._first)), 1)
        self._per_key = span // self._step + 2
        if most * self._per_key > _HIGHEST:
            self._ranks = np.unique(moments)
            self._per_key = len(self._ranks) + 1

    def _tick(self, times: Integers) -> Integers:
        """Number of the first moment that any key asks for at or after a time."""
        if self._ranks is not None:
            return np.searchsorted(self._ranks, times)
        since = np.clip(times, self._first, self._last + 1) - self._first
        return since if self._step == 1 else -(-since // self._step)

    def _place(self, codes: Integers, ticks: Integers) -> Integers:
        return np.multiply(codes, self._per_key, dtype=np.int64) + ticks


class Newest:
    """The newest row of each slot among those offered: latest event, then latest created, then last in the files.

    Args:
        slots: that are asked for.
        as_known: a row counts from the moment it was created, not from its event on.
    """

    def __init__(self, slots: Slots, *, as_known: bool = False) -> None:
        self._slots, self._as_known = slots, as_known
        self._events = np.full(len(slots), LOWEST, dtype=np.int64)
        self._created = np.full(len(slots), LOWEST, dtype=np.int64)
        self._rows = np.full(len(slots), NO_ROW, dtype=np.int64)

    def offer(self, codes: Integers, events: Integers, created: Integers | None, rows: Integers) -> None:
        """Take in some rows of the history, all arguments of shape (rows,).

        Args:
            codes: of the keys.
            events: event times.
            created: when each row became known, the lowest integer where that is null; None if no row says.
            rows: a number for each row, zero or more, by which the caller finds it again: its place in the files.
        """
        if self._as_known and created is not None:
            known = created != LOWEST
            codes, events, created, rows = codes[known], events[known], created[known], rows[known]
            order, slots = self._slots.locate(codes, np.maximum(events, created))
        else:
            order, slots = self._slots.locate(codes, events)
        best = _raise(self._events, slots, events[order], self._created, self._rows)
        order, slots = order[best], slots[best]
        if created is not None:
            best = _raise(self._created, slots, created[order], self._rows)
            order, slots = order[best], slots[best]
        np.maximum.at(self._rows, slots, rows[order])

    def result(self, ttl: int | None = None) -> tuple[Integers, Integers]:
        """What each slot sees.

        Args:
            ttl: rows older than this at the slot's moment do not count.

        Returns:
            The numbers of the rows that are seen, ascending, and for each slot the index into them, -1 where it
            sees none.
        """
        size = len(self._slots)
        offered = np.flatnonzero((self._rows != NO_ROW) & self._slots.is_asked)
        if self._as_known:  # a row that came in late may be older than one that an earlier slot saw
            offered = offered[np.lexsort((self._rows[offered], self._created[offered], self._events[offered]))]
        ranks = np.full(size, -1, dtype=np.int64)
        ranks[offered] = np.arange(len(offered))
        carried = np.maximum.accumulate(self._slots.codes * (size + 1) + ranks + 1) % (size + 1) - 1
        if ttl is not None and len(offered):
            age = self._slots.moments - self._events[offered[carried]]
            carried[(carried >= 0) & (age > ttl)] = -1
        is_seen = np.zeros(len(offered) + 1, dtype=bool)  # the last place is for slots that see nothing
        is_seen[carried] = True
        seen = np.flatnonzero(is_seen[:-1])
        numbers = self._rows[offered[seen]]
        order = np.argsort(numbers)
        index = np.full(len(offered) + 1, -1, dtype=np.int64)
        index[seen[order]] = np.arange(len(seen))
        return numbers[order], index[carried]


def _raise(best: Integers, slots: Integers, values: Integers, *below: Integers) -> NDArray[np.bool_]:
    """Lift each slot's best value; where it rose forget what ranks below it. True for the rows that are best now."""
    before = best[slots]
    np.maximum.at(best, slots, values)
    after = best[slots]
    risen = slots[after > before]
    for lower in below:
        lower[risen] = NO_ROW if lower is below[-1] else LOWEST
    return values == after
