"""Tiles of all keys in one order, and the ranges of them that windows are.

Keys are codes, times are counted in the table's unit; both together make one integer, by which tiles and rows are
sorted. A window of a row is then a range of tiles, found by binary search.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl

from feature_repo.windows import Window, WindowedTable


@dataclass
class Grid:
    """How keys and times become one integer.

    Attributes:
        base: the earliest time, a multiple of the unit.
        unit: microseconds.
        bits: of a time.
    """

    base: int
    unit: int
    bits: int

    @classmethod
    def over(cls, table: WindowedTable, first: int, last: int) -> "Grid":
        """For times between two moments."""
        base = first - first % table.unit
        return cls(base, table.unit, max(int((last - base) // table.unit + 2).bit_length(), 1))

    @property
    def most_keys(self) -> int:
        """Codes must be below this."""
        return 1 << (62 - self.bits)

    def place(self, codes: np.ndarray, times: np.ndarray) -> np.ndarray:
        """(n,) integers in the order of key, then time; a time before the base counts as the base."""
        return (codes << self.bits) + np.maximum((times - self.base) // self.unit, 0)


@dataclass
class Items:
    """Tiles of one frame, sorted by key and time.

    Attributes:
        code: (n,) of the key.
        at: (n,) beginning, microseconds.
        columns: the other columns of numbers, in the same order.
        nullable: those in which some are missing.
        grid: of the places.
    """

    code: np.ndarray
    at: np.ndarray
    columns: dict[str, np.ndarray]
    nullable: dict[str, pl.Series]
    grid: Grid

    @cached_property
    def place(self) -> np.ndarray:
        """(n,) sorted."""
        return self.grid.place(self.code, self.at)

    @cached_property
    def before(self) -> Callable[[np.ndarray], np.ndarray]:
        """Tells how many tiles lie before each of some places."""
        return counted_below(self.place, self.grid)

    def __len__(self) -> int:
        return len(self.code)


@dataclass
class Rows:
    """Keys and moments whose values are wanted, sorted.

    Attributes:
        place: (n,) of key and moment, sorted, without repeats.
        grid: of the places.
    """

    place: np.ndarray
    grid: Grid
    _ranges: dict = field(default_factory=dict)

    @cached_property
    def code(self) -> np.ndarray:
        """(n,) of the key."""
        return self.place >> self.grid.bits

    @cached_property
    def at(self) -> np.ndarray:
        """(n,) moments T, microseconds."""
        return (self.place & ((1 << self.grid.bits) - 1)) * self.grid.unit + self.grid.base

    @cached_property
    def moment(self) -> int | None:
        """The time of all rows as it stands in their places; None if they have more than one: a day's run has one."""
        times = self.place & ((1 << self.grid.bits) - 1)
        return int(times[0]) if len(times) and (times == times[0]).all() else None

    @cached_property
    def before(self) -> Callable[[np.ndarray], np.ndarray]:
        """Tells how many rows lie before each of some places."""
        return counted_below(self.place, self.grid)

    def __len__(self) -> int:
        return len(self.place)

    def ranges(self, items: Items, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """First tile of each row's window, and the one after its last."""
        before = self._remember((id(items), "before"), lambda: items.before(self.place))
        return self._remember((id(items), window.name), lambda: self._first(items, window)), before

    def _first(self, items: Items, window: Window) -> np.ndarray:
        if window.is_lifetime:
            return items.before(self.code << self.grid.bits)
        if window.hop == self.grid.unit:
            start = np.maximum(self.place - window.width // window.hop, self.code << self.grid.bits)
        else:
            start = self.grid.place(self.code, window.start(self.at))
        return items.before(start)

    def _remember(self, name: tuple, find: Callable[[], np.ndarray]) -> np.ndarray:
        if name not in self._ranges:
            self._ranges[name] = find()
        return self._ranges[name]


CELLS = 8
"""A table of all places is made where it has no more cells than this for each that is known, or asked for at once."""


def counted_below(ordered: np.ndarray, grid: Grid) -> Callable[[np.ndarray], np.ndarray]:
    """Tells how many of some places (ascending) are smaller than each of others.

    Looked up in a table of all places, where it stays small beside what is asked or known; else by binary search.
    """
    cells = ((int(ordered[-1]) >> grid.bits) + 1) << grid.bits if len(ordered) else 0
    below: list[np.ndarray] = []

    def count(places: np.ndarray) -> np.ndarray:
        if not below and cells <= CELLS * max(len(ordered), len(places)):
            below.append(running(np.bincount(ordered, minlength=cells)))
        return below[0][np.minimum(places, cells)] if below else np.searchsorted(ordered, places)

    return count


def begins(*columns: np.ndarray) -> np.ndarray:
    """(n,) whether a row differs from the one before it in any of the columns; the first one does."""
    out = np.ones(len(columns[0]), bool)
    np.not_equal(columns[0][1:], columns[0][:-1], out=out[1:])
    for column in columns[1:]:
        out[1:] |= column[1:] != column[:-1]
    return out


def runs(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place at which each run of rows that are equal in all columns begins, and how many rows it has."""
    first = np.flatnonzero(begins(*columns))
    return first, _lengths(first, len(columns[0]))


def _lengths(first: np.ndarray, count: int) -> np.ndarray:
    """How many of so many rows each run has, from the places at which they begin."""
    length = np.empty_like(first)
    if len(first):
        np.subtract(first[1:], first[:-1], out=length[:-1])
        length[-1] = count - first[-1]
    return length


def running(values: np.ndarray) -> np.ndarray:
    """(n + 1,) sums of the first 0, 1, … n values: a sum over a range is the difference of two."""
    out = np.zeros(len(values) + 1, values.dtype)
    np.cumsum(values, out=out[1:])
    return out


def extreme(values: np.ndarray, first: np.ndarray, stop: np.ndarray, *, of: np.ufunc, empty: int) -> np.ndarray:
    """Smallest or largest value of each range; ``empty`` for a range of nothing.

    Each range is covered by two of the length of a power of two (the sparse table of M. Bender and M. Farach-Colton,
    The LCA Problem Revisited, 2000), of which one length at a time is held.
    """
    length = stop - first
    out = np.full(len(first), empty, values.dtype)
    power = np.frexp(length.astype(np.float64))[1] - 1  # floor of log2
    best = values
    for level in range(int(power.max(initial=-1)) + 1):
        if level:
            half = 1 << (level - 1)
            best = of(best[:-half], best[half:])
        mine = np.flatnonzero(power == level)
        out[mine] = of(best[first[mine]], best[stop[mine] - (1 << level)])
    return out


def expanded(first: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All places of some ranges one after the other, and the number of the range that each belongs to."""
    length = stop - first
    owner = np.repeat(np.arange(len(first)), length)
    ends = np.cumsum(length)
    return np.arange(len(owner)) + (first - (ends - length))[owner], owner


def blocks(first: np.ndarray, stop: np.ndarray, most: int) -> list[slice]:
    """Slices of the ranges with about ``most`` places each."""
    total = np.cumsum(stop - first)
    if not len(total):
        return []
    cuts = np.searchsorted(total, np.arange(most, total[-1], most)) + 1
    edges = np.unique(np.concatenate([[0], cuts, [len(first)]]))
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def in_order(*columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rows of non-negative integers sorted by the first column, then the second, and so on.

    If they fit they are packed into one integer: sorting those is faster than sorting places by several columns.
    """
    bits = _bits(columns)
    if sum(bits) > 63:
        order = np.lexsort(columns[::-1])
        return tuple(column[order] for column in columns)
    packed = _packed(columns, bits)
    packed.sort()
    out = []
    for width in reversed(bits):
        out.append(packed & ((1 << width) - 1))
        packed = packed >> width
    return tuple(out[::-1])


def order_of(*columns: np.ndarray) -> np.ndarray:
    """(n,) places of rows of non-negative integers in the order of the first column, then the second, and so on."""
    bits = _bits(columns)
    if sum(bits) > 63:
        return np.lexsort(columns[::-1])
    return pl.Series(_packed(columns, bits)).arg_sort().to_numpy()


def _bits(columns: tuple[np.ndarray, ...]) -> list[int]:
    return [int(column.max(initial=0)).bit_length() for column in columns]


def _packed(columns: tuple[np.ndarray, ...], bits: list[int]) -> np.ndarray:
    packed = np.zeros(len(columns[0]), np.int64)
    for column, width in zip(columns, bits, strict=True):
        packed = (packed << width) | column
    return packed


SAMPLE = 10_000
"""Rows that tell whether equal texts stand together."""


def codes_of(frames: list[pl.Series]) -> tuple[pl.Series, list[np.ndarray]]:
    """Distinct texts in the order of their letters, and each series as places in it."""
    parts = [_of_runs(series) for series in frames]
    together = pl.concat([texts for texts, _ in parts], rechunk=True).to_arrow(compat_level=pl.CompatLevel.newest())
    coded = together.dictionary_encode()
    words = pl.Series(pl.from_arrow(coded.dictionary), dtype=pl.String)
    order = words.arg_sort().to_numpy()
    rank = np.empty(len(words), np.int64)
    rank[order] = np.arange(len(words))
    ranked = rank[coded.indices.to_numpy()]
    pieces = np.split(ranked, np.cumsum([len(texts) for texts, _ in parts])[:-1])
    found = [
        codes if length is None else np.repeat(codes, length) for codes, (_, length) in zip(pieces, parts, strict=True)
    ]
    return words.gather(order), found


def _of_runs(texts: pl.Series) -> tuple[pl.Series, np.ndarray | None]:
    """The first of each run of equal texts, and how long it is, where that halves those looked at; else all of them.

    The keys of a day's tiles are sorted, so that each one's stand together.
    """
    if 2 * len(_begins_of(texts.head(SAMPLE))) > min(len(texts), SAMPLE):
        return texts, None
    first = _begins_of(texts)
    return texts.gather(first), _lengths(first, len(texts))


def _begins_of(texts: pl.Series) -> np.ndarray:
    return np.flatnonzero((texts != texts.shift(1)).fill_null(True).to_numpy())
