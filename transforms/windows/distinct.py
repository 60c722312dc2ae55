"""How many different values a window holds.

A value is in the window at T while one of its tiles is; it comes in with the first tile after a gap and goes out when
the last one before such a gap leaves. Each coming and going is one change; the sum of the changes up to T is the
number. Beyond ``exact`` values the same is done for those values alone whose hash ends in one zero, two, …
(adaptive sampling, see ``feature_repo.windows.aggregates``).
"""

import zlib

import numpy as np

from feature_repo.windows import Window
from transforms.windows.items import Items, Rows, begins, in_order


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


def distinct(items: Items, rows: Rows, window: Window, exact: int, level: np.ndarray) -> np.ndarray:
    """(rows,) numbers of values.

    Args:
        items: with ``value`` codes.
        rows: whose windows.
        window: which.
        exact: beyond so many the number is an estimate.
        level: (values,) of ``levels``.
    """
    changes = _Changes(items, window)
    count = changes.at(rows, np.ones(len(items), bool))
    estimate = count.copy()
    crowded = count > exact
    zeros = 0
    while crowded.any():
        zeros += 1
        some = level[items.columns["value"]] >= zeros
        count = np.where(crowded, changes.at(rows, some), count)
        estimate = np.where(crowded, count << zeros, estimate)
        crowded &= count > exact
    return estimate


class _Changes:
    """When each value comes into a window of its key, and when it leaves."""

    def __init__(self, items: Items, window: Window) -> None:
        value = items.columns["value"]
        *_, order = in_order(items.code, value, np.arange(len(items)))  # items are in the order of time
        code, value, at = items.code[order], value[order], items.at[order]
        unit = items.grid.unit
        comes = at + unit
        same = ~begins(code, value)[1:]
        if window.is_lifetime:
            leaves, joined = None, same
        else:
            leaves = window.leaves(at)
            joined = same & (comes[1:] <= leaves[:-1])
        starts = np.concatenate([[True], ~joined]) if len(at) else np.zeros(0, bool)
        ends = np.concatenate([~joined, [True]]) if len(at) else np.zeros(0, bool)
        self._member = order
        self._starts, self._ends = starts, ends
        self._come = items.grid.place(code, comes)
        self._leave = None if leaves is None else items.grid.place(code, leaves)

    def at(self, rows: Rows, some: np.ndarray) -> np.ndarray:
        """(rows,) number of values of which ``some`` says that they count."""
        mine = some[self._member]
        count = _up_to(self._come[self._starts & mine], rows)
        if self._leave is not None:
            count -= _up_to(self._leave[self._ends & mine], rows)
        return count


def _up_to(places: np.ndarray, rows: Rows) -> np.ndarray:
    """(rows,) how many changes of the row's key came at its moment or before."""
    places = np.sort(places)
    key = rows.code << rows.grid.bits
    return np.searchsorted(places, rows.place, side="right") - np.searchsorted(places, key)
