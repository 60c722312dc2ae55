"""Distinct counts: how many different values a window has.

A value is in the window at T while one of its tiles is. It enters with the first tile after a gap, and leaves with the
last tile before a gap. Each entering is a change of +1 and each leaving of −1; the sum of the changes up to T is the
count. If T is the same for all rows, as when one day is added, each value's newest tile suffices. Above ``exact``
values, only values whose hash ends in at least one, two, … zeros are counted (adaptive sampling, see
``feature_repo.windows.aggregates``).
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from feature_repo.windows import Window
from transforms.batch.windows.items import Grid, Rows, is_run_start, sort_rows


def levels(words: Sequence[str | int]) -> np.ndarray:
    """(n,) number of trailing zeros of each text's hash: CRC-32, mixed by the finalizer of MurmurHash3.

    The hash of an integer is that of its decimal digits.
    """
    return trailing_zeros(np.fromiter((zlib.crc32(str(word).encode()) for word in words), np.uint64, len(words)))


def trailing_zeros(crc: np.ndarray) -> np.ndarray:
    """(n,) number of trailing zeros of the mixed 64 bits; 64 for zero."""
    mixed = crc ^ (crc >> np.uint64(33))
    with np.errstate(over="ignore"):
        for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            mixed = mixed * np.uint64(factor)
            mixed = mixed ^ (mixed >> np.uint64(33))
    lowest = mixed & (~mixed + np.uint64(1))
    return np.where(mixed == 0, 64, np.frexp(lowest.astype(np.float64))[1] - 1).astype(np.int64)


@dataclass
class ValueTiles:
    """Tiles of the values of a text column, sorted by key, text and time.

    Attributes:
        code: (n,) codes of the keys.
        value: (n,) codes of the texts.
        number: (n,) starts of the tiles, in units of time since the grid's base.
        grid: encoding of the places.
    """

    code: np.ndarray
    value: np.ndarray
    number: np.ndarray
    grid: Grid
    _newest: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, code: np.ndarray, value: np.ndarray, at: np.ndarray, grid: Grid) -> "ValueTiles":
        """Sorts tiles that are in any order."""
        code, value, number = sort_rows(code, value, (at - grid.base) // grid.unit)
        return cls(code, value, number, grid)

    @cached_property
    def at(self) -> np.ndarray:
        """(n,) starts of the tiles, microseconds."""
        return self.number * self.grid.unit + self.grid.base

    @cached_property
    def place(self) -> np.ndarray:
        """(n,) places of key and start."""
        return (self.code << self.grid.bits) + self.number

    @cached_property
    def next_is_same(self) -> np.ndarray:
        """(n − 1,) whether the next tile has the same key and text."""
        return ~is_run_start(self.code, self.value)[1:]

    def newest(self, moment: int) -> np.ndarray:
        """Positions of the newest tile of each key and text before a moment, in units of time since the base."""
        if moment not in self._newest:
            is_before = self.number < moment
            is_newest = is_before.copy()
            is_newest[:-1] &= ~(self.next_is_same & is_before[1:])
            self._newest[moment] = np.flatnonzero(is_newest)
        return self._newest[moment]


def distinct(
    valued: ValueTiles, rows: Rows, window: Window, exact: int, levels_of: Callable[[], np.ndarray]
) -> np.ndarray:
    """(rows,) distinct counts.

    Args:
        valued: tiles of the texts.
        rows: the rows that have the windows.
        window: the window.
        exact: largest exact count; larger counts are estimates.
        levels_of: function that returns ``levels`` of all texts, called if they are needed.
    """
    counter = _Changes(valued, window) if rows.moment is None else _Inside(valued, window, rows.moment)
    count = counter.at(rows)
    is_estimated = count > exact
    if not is_estimated.any():
        return count
    estimate, zeros, level = count.copy(), 0, levels_of()[valued.value]
    while is_estimated.any():
        zeros += 1
        count = np.where(is_estimated, counter.at(rows, level >= zeros), count)
        estimate = np.where(is_estimated, count << zeros, estimate)
        is_estimated &= count > exact
    return estimate


class _Inside:
    """Values that are in the window at one moment: whose newest tile before the moment is in the window."""

    def __init__(self, valued: ValueTiles, window: Window, moment: int) -> None:
        self._code, self._places, grid = valued.code, valued.newest(moment), valued.grid
        if not window.is_lifetime:
            start = (window.start(moment * grid.unit + grid.base) - grid.base) // grid.unit
            self._places = self._places[valued.number[self._places] >= start]

    def at(self, rows: Rows, mask: np.ndarray | None = None) -> np.ndarray:
        """(rows,) number of the values selected by ``mask``; all if None."""
        places = self._places if mask is None else self._places[mask[self._places]]
        return np.bincount(self._code[places], minlength=int(rows.code[-1]) + 1)[rows.code]


class _Changes:
    """Moments at which each value enters and leaves the window of its key."""

    def __init__(self, valued: ValueTiles, window: Window) -> None:
        self._code, unit, grid = valued.code, valued.grid.unit, valued.grid
        self._enter, self._leave = valued.place + 1, None
        is_continued = valued.next_is_same
        if not window.is_lifetime:
            if window.hop == unit:
                self._leave = valued.place + (window.width + window.hop) // unit
            else:
                self._leave = grid.place(valued.code, window.leaves(valued.at))
            is_continued = is_continued & (self._enter[1:] <= self._leave[:-1])
        self._starts = np.concatenate([[True], ~is_continued]) if len(self._code) else np.zeros(0, bool)
        self._ends = np.concatenate([~is_continued, [True]]) if len(self._code) else np.zeros(0, bool)

    def at(self, rows: Rows, mask: np.ndarray | None = None) -> np.ndarray:
        """(rows,) number of the values selected by ``mask``; all if None."""
        starts = self._starts if mask is None else self._starts & mask
        count = _up_to(self._enter[starts], self._code[starts], rows)
        if self._leave is not None:
            ends = self._ends if mask is None else self._ends & mask
            count -= _up_to(self._leave[ends], self._code[ends], rows)
        return count


def _up_to(places: np.ndarray, codes: np.ndarray, rows: Rows) -> np.ndarray:
    """(rows,) number of changes of the row's key up to its moment.

    Changes are counted from the next row on, over all keys; those of earlier keys are then subtracted.
    """
    if not len(rows):
        return np.zeros(0, np.int64)
    up_to = np.cumsum(np.bincount(rows.count_before(places), minlength=len(rows) + 1)[:-1])
    of_keys_before = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=int(rows.code[-1]) + 1))])
    return up_to - of_keys_before[rows.code]
