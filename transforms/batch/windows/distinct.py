"""How many different values a window holds.

A value is in the window at T while one of its tiles is; it comes in with the first tile after a gap and goes out when
the last one before such a gap leaves. Each coming and going is one change; the sum of the changes up to T is the
number. Where T is the same for all rows, as when a day is added, a look at each value's newest tile is enough. Beyond
``exact`` values the same is done for those values alone whose hash ends in one zero, two, … (adaptive sampling, see
``feature_repo.windows.aggregates``).
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from feature_repo.windows import Window
from transforms.batch.windows.items import Grid, Rows, begins, in_order


def levels(words: list[str]) -> np.ndarray:
    """(n,) zeros at the end of each text's hash: CRC-32, mixed by the finalizer of MurmurHash3."""
    return trailing_zeros(np.fromiter((zlib.crc32(word.encode()) for word in words), np.uint64, len(words)))


def trailing_zeros(crc: np.ndarray) -> np.ndarray:
    """(n,) of the mixed 64 bits; 64 for zero."""
    mixed = crc ^ (crc >> np.uint64(33))
    with np.errstate(over="ignore"):
        for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
            mixed = mixed * np.uint64(factor)
            mixed = mixed ^ (mixed >> np.uint64(33))
    lowest = mixed & (~mixed + np.uint64(1))
    return np.where(mixed == 0, 64, np.frexp(lowest.astype(np.float64))[1] - 1).astype(np.int64)


@dataclass
class Valued:
    """Tiles of texts, sorted by key, text and time.

    Attributes:
        code: (n,) of the key.
        value: (n,) of the text.
        number: (n,) of the unit of time that the tile begins with, counted from the grid's base.
        grid: of the places.
    """

    code: np.ndarray
    value: np.ndarray
    number: np.ndarray
    grid: Grid
    _newest: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, code: np.ndarray, value: np.ndarray, at: np.ndarray, grid: Grid) -> "Valued":
        """From tiles in any order."""
        code, value, number = in_order(code, value, (at - grid.base) // grid.unit)
        return cls(code, value, number, grid)

    @cached_property
    def at(self) -> np.ndarray:
        """(n,) beginning, microseconds."""
        return self.number * self.grid.unit + self.grid.base

    @cached_property
    def place(self) -> np.ndarray:
        """(n,) of key and beginning."""
        return (self.code << self.grid.bits) + self.number

    @cached_property
    def again(self) -> np.ndarray:
        """(n − 1,) whether the next tile is of the same key and text."""
        return ~begins(self.code, self.value)[1:]

    def newest(self, moment: int) -> np.ndarray:
        """Places of the newest tile of each key and text that begins before a moment, which is counted as they are."""
        if moment not in self._newest:
            before = self.number < moment
            newest = before.copy()
            newest[:-1] &= ~(self.again & before[1:])
            self._newest[moment] = np.flatnonzero(newest)
        return self._newest[moment]


def distinct(valued: Valued, rows: Rows, window: Window, exact: int, levels_of: Callable[[], np.ndarray]) -> np.ndarray:
    """(rows,) numbers of values.

    Args:
        valued: tiles of the texts.
        rows: whose windows.
        window: which.
        exact: beyond so many the number is an estimate.
        levels_of: gives ``levels`` of all texts, if they are needed.
    """
    changes = _Changes(valued, window) if rows.moment is None else _Inside(valued, window, rows.moment)
    count = changes.at(rows)
    crowded = count > exact
    if not crowded.any():
        return count
    estimate, zeros, level = count.copy(), 0, levels_of()[valued.value]
    while crowded.any():
        zeros += 1
        count = np.where(crowded, changes.at(rows, level >= zeros), count)
        estimate = np.where(crowded, count << zeros, estimate)
        crowded &= count > exact
    return estimate


class _Inside:
    """Values whose newest tile before one moment is still in the window then."""

    def __init__(self, valued: Valued, window: Window, moment: int) -> None:
        self._code, self._places, grid = valued.code, valued.newest(moment), valued.grid
        if not window.is_lifetime:
            start = (window.start(moment * grid.unit + grid.base) - grid.base) // grid.unit
            self._places = self._places[valued.number[self._places] >= start]

    def at(self, rows: Rows, some: np.ndarray | None = None) -> np.ndarray:
        """(rows,) number of values of which ``some`` says that they count; all if None."""
        places = self._places if some is None else self._places[some[self._places]]
        return np.bincount(self._code[places], minlength=int(rows.code[-1]) + 1)[rows.code]


class _Changes:
    """When each value comes into a window of its key, and when it leaves."""

    def __init__(self, valued: Valued, window: Window) -> None:
        self._code, unit, grid = valued.code, valued.grid.unit, valued.grid
        self._come, self._leave = valued.place + 1, None
        joined = valued.again
        if not window.is_lifetime:
            if window.hop == unit:
                self._leave = valued.place + (window.width + window.hop) // unit
            else:
                self._leave = grid.place(valued.code, window.leaves(valued.at))
            joined = joined & (self._come[1:] <= self._leave[:-1])
        self._starts = np.concatenate([[True], ~joined]) if len(self._code) else np.zeros(0, bool)
        self._ends = np.concatenate([~joined, [True]]) if len(self._code) else np.zeros(0, bool)

    def at(self, rows: Rows, some: np.ndarray | None = None) -> np.ndarray:
        """(rows,) number of values of which ``some`` says that they count; all if None."""
        starts = self._starts if some is None else self._starts & some
        count = _up_to(self._come[starts], self._code[starts], rows)
        if self._leave is not None:
            ends = self._ends if some is None else self._ends & some
            count -= _up_to(self._leave[ends], self._code[ends], rows)
        return count


def _up_to(places: np.ndarray, codes: np.ndarray, rows: Rows) -> np.ndarray:
    """(rows,) how many changes of the row's key came at its moment or before.

    A change counts from the next row on; those of keys before are taken off again.
    """
    if not len(rows):
        return np.zeros(0, np.int64)
    up_to = np.cumsum(np.bincount(rows.before(places), minlength=len(rows) + 1)[:-1])
    of_keys_before = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=int(rows.code[-1]) + 1))])
    return up_to - of_keys_before[rows.code]
