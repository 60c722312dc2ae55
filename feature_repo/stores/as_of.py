"""As-of join by slots: finds the newest row at or before each moment in one pass, without sorting the history.

The slots are the sorted distinct (key, moment) pairs of the request. Every row of the history belongs to exactly one
slot: the first slot of its key at or after the time from which the row counts. A slot keeps the best row offered to
it. After all rows were offered, a running maximum within each key carries the best row forward to later slots.
Time is O((slots + rows) · log slots), memory is O(slots), and rows may arrive in any order.

Keys are codes 0, 1, 2 …; moments and times are 64-bit integers (microseconds since 1970).
"""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

LOWEST = np.iinfo(np.int64).min
_HIGHEST = np.iinfo(np.int64).max
NO_ROW = -1


class Slots:
    """The sorted distinct (key, moment) pairs of a spine, plus one overflow slot per key for later rows.

    Args:
        codes: (spine rows,) key codes; negative where a row has no key or no moment.
        moments: (spine rows,) moments in microseconds.

    Attributes:
        codes: (slots,) key codes, ascending.
        moments: (slots,) moments, ascending within a code.
        slot_of_row: (spine rows,) slot of each row, -1 where it has none.
        is_requested: (slots,) false for overflow slots, which take rows later than the key's last moment.
    """

    def __init__(self, codes: Integers, moments: Integers) -> None:
        requested = np.flatnonzero(codes >= 0)
        requested_codes, requested_moments = codes[requested], moments[requested]
        keys = np.flatnonzero(np.bincount(requested_codes))
        self._set_scale(keys, requested_moments)
        overflow = self._place(keys, np.full(len(keys), self._per_key - 1))
        places = np.concatenate([self._place(requested_codes, self._tick(requested_moments)), overflow])
        order = np.argsort(places)
        ordered = places[order]
        is_new = np.ones(len(ordered), dtype=bool)
        is_new[1:] = ordered[1:] != ordered[:-1]
        first = order[is_new]
        self._places = ordered[is_new]
        self.is_requested = first < len(requested)
        self.codes = np.concatenate([requested_codes, keys])[first]
        self.moments = np.concatenate([requested_moments, np.full(len(keys), self._last)])[first]
        slots = np.empty(len(order), dtype=np.int64)
        slots[order] = np.cumsum(is_new) - 1
        self.slot_of_row = np.full(len(codes), -1, dtype=np.int64)
        self.slot_of_row[requested] = slots[: len(requested)]

    def __len__(self) -> int:
        return len(self.codes)

    def locate(self, codes: Integers, times: Integers) -> tuple[Integers, Integers]:
        """Finds the first slot of each key at or after a time.

        Args:
            codes: (rows,) codes of keys that occur in the spine.
            times: (rows,) times in microseconds.

        Returns:
            A permutation of the rows, and their slots in that order, ascending. Both (rows,).
        """
        places = self._place(codes, self._tick(times))
        order = np.argsort(places)  # a binary search runs ten times faster over sorted needles, and sorting is cheap
        return order, np.searchsorted(self._places, places[order])

    def _set_scale(self, keys: Integers, moments: Integers) -> None:
        """Chooses ticks so that key and tick fit one integer: raw moments, moments over a common divisor, or ranks."""
        self._first: np.int64 = moments.min() if len(moments) else np.int64(0)
        self._last: np.int64 = moments.max() if len(moments) else np.int64(0)
        self._ranks: Integers | None = None
        self._step = 1
        key_count, span = int(keys.max(initial=0)) + 1, int(self._last) - int(self._first)
        if key_count * (span + 2) > _HIGHEST >= span:
            self._step = max(int(np.gcd.reduce(moments - self._first)), 1)
        self._per_key = span // self._step + 2
        if key_count * self._per_key > _HIGHEST:
            self._ranks = np.unique(moments)
            self._per_key = len(self._ranks) + 1

    def _tick(self, times: Integers) -> Integers:
        """Returns the tick of the first requested moment of any key at or after each time."""
        if self._ranks is not None:
            return np.searchsorted(self._ranks, times)
        offset = np.clip(times, self._first, self._last + 1) - self._first
        return offset if self._step == 1 else -(-offset // self._step)

    def _place(self, codes: Integers, ticks: Integers) -> Integers:
        return np.multiply(codes, self._per_key, dtype=np.int64) + ticks


class KeySlots:
    """One slot per key, for rows that are already filtered to those that count; nothing is sorted.

    Args:
        moments: (keys,) moments of the keys 0, 1, 2 ….

    Attributes:
        codes, moments, is_requested: (keys,) see ``Slots``.
    """

    def __init__(self, moments: Integers) -> None:
        self.codes = np.arange(len(moments), dtype=np.int64)
        self.moments = moments
        self.is_requested = np.ones(len(moments), dtype=bool)

    def __len__(self) -> int:
        return len(self.codes)

    def locate(self, codes: Integers, times: Integers) -> tuple[Integers, Integers]:
        """Returns the rows in their given order, and the slot of each row's key; see ``Slots.locate``."""
        return np.arange(len(codes)), codes


class Newest:
    """Finds the newest row of each slot: by event time, then created time, then position in the files.

    Args:
        slots: the requested slots.
        as_known: whether a row counts from its created time instead of its event time.
    """

    def __init__(self, slots: Slots | KeySlots, *, as_known: bool = False) -> None:
        self._slots, self._as_known = slots, as_known
        self._events = np.full(len(slots), LOWEST, dtype=np.int64)
        self._created = np.full(len(slots), LOWEST, dtype=np.int64)
        self._rows = np.full(len(slots), NO_ROW, dtype=np.int64)

    def offer(self, codes: Integers, events: Integers, created: Integers | None, rows: Integers) -> None:
        """Offers a batch of rows of the history. All arguments have the shape (rows,).

        Args:
            codes: key codes.
            events: event times.
            created: created times, the lowest integer where null; None if the history has no created time.
            rows: row numbers in the files, zero or more, by which the caller finds the rows again.
        """
        if self._as_known and created is not None:
            has_created = created != LOWEST
            codes, events, created, rows = (
                codes[has_created],
                events[has_created],
                created[has_created],
                rows[has_created],
            )
            order, slots = self._slots.locate(codes, np.maximum(events, created))
        else:
            order, slots = self._slots.locate(codes, events)
        best = _raise_best(self._events, slots, events[order], self._created, self._rows)
        order, slots = order[best], slots[best]
        if created is not None:
            best = _raise_best(self._created, slots, created[order], self._rows)
            order, slots = order[best], slots[best]
        np.maximum.at(self._rows, slots, rows[order])

    def result(self, ttl: int | None = None) -> tuple[Integers, Integers]:
        """Returns the newest row of each slot.

        Args:
            ttl: maximum age of a row at the slot's moment, in microseconds; None for no limit.

        Returns:
            The ascending numbers of the matched rows, and for each slot the index into them, -1 for no match.
        """
        slot_count = len(self._slots)
        offered = np.flatnonzero((self._rows != NO_ROW) & self._slots.is_requested)
        if self._as_known:  # a row that was created late may be older than the match of an earlier slot
            offered = offered[np.lexsort((self._rows[offered], self._created[offered], self._events[offered]))]
        ranks = np.full(slot_count, -1, dtype=np.int64)
        ranks[offered] = np.arange(len(offered))
        carried = np.maximum.accumulate(self._slots.codes * (slot_count + 1) + ranks + 1) % (slot_count + 1) - 1
        if ttl is not None and len(offered):
            age = self._slots.moments - self._events[offered[carried]]
            carried[(carried >= 0) & (age > ttl)] = -1
        is_matched = np.zeros(len(offered) + 1, dtype=bool)  # the last element is for slots without a match
        is_matched[carried] = True
        matched = np.flatnonzero(is_matched[:-1])
        numbers = self._rows[offered[matched]]
        order = np.argsort(numbers)
        index = np.full(len(offered) + 1, -1, dtype=np.int64)
        index[matched[order]] = np.arange(len(matched))
        return numbers[order], index[carried]


def _raise_best(best: Integers, slots: Integers, values: Integers, *lower_ranked: Integers) -> NDArray[np.bool_]:
    """Raises each slot's best value and resets lower-ranked criteria where it rose. Returns the mask of best rows."""
    before = best[slots]
    np.maximum.at(best, slots, values)
    after = best[slots]
    improved = slots[after > before]
    for criterion in lower_ranked:
        criterion[improved] = NO_ROW if criterion is lower_ranked[-1] else LOWEST
    return values == after
