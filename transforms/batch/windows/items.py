"""Tiles of all keys in one sorted order, in which a window is a range of tiles.

Keys are codes, and times are counted in the table's unit. Key and time are packed into one integer, the place, by which
tiles and rows are sorted. The window of a row is then a range of tiles, found by binary search.
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
    """The encoding of key and time as one integer, the place.

    Attributes:
        base: earliest time, microseconds, a multiple of the unit.
        unit: unit of time, microseconds.
        bits: number of bits that a time takes.
    """

    base: int
    unit: int
    bits: int

    @classmethod
    def over(cls, table: WindowedTable, first: int, last: int) -> "Grid":
        """A grid for times between two moments, microseconds."""
        base = first - first % table.unit
        return cls(base, table.unit, max(int((last - base) // table.unit + 2).bit_length(), 1))

    @property
    def max_keys(self) -> int:
        """Number of keys that fit; codes must be below it."""
        return 1 << (62 - self.bits)

    def place(self, codes: np.ndarray, times: np.ndarray) -> np.ndarray:
        """(n,) places, which sort by key, then time; a time before the base counts as the base."""
        return (codes << self.bits) + np.maximum((times - self.base) // self.unit, 0)


@dataclass
class Items:
    """Tiles of one frame, sorted by key and time.

    Attributes:
        code: (n,) codes of the keys.
        at: (n,) starts of the tiles, microseconds.
        columns: the other number columns without missing values, in the same order.
        nullable: the columns with missing values, in the same order.
        grid: encoding of the places.
    """

    code: np.ndarray
    at: np.ndarray
    columns: dict[str, np.ndarray]
    nullable: dict[str, pl.Series]
    grid: Grid

    @cached_property
    def place(self) -> np.ndarray:
        """(n,) places of the tiles, sorted."""
        return self.grid.place(self.code, self.at)

    @cached_property
    def count_before(self) -> Callable[[np.ndarray], np.ndarray]:
        """A function that counts the tiles before each of some places."""
        return counted_below(self.place, self.grid)

    def __len__(self) -> int:
        return len(self.code)


@dataclass
class Rows:
    """Keys and moments of the rows to compute, sorted.

    Attributes:
        place: (n,) places of keys and moments, sorted, without repeats.
        grid: encoding of the places.
    """

    place: np.ndarray
    grid: Grid
    _ranges: dict = field(default_factory=dict)

    @cached_property
    def code(self) -> np.ndarray:
        """(n,) codes of the keys."""
        return self.place >> self.grid.bits

    @cached_property
    def at(self) -> np.ndarray:
        """(n,) moments T of the rows, microseconds."""
        return (self.place & ((1 << self.grid.bits) - 1)) * self.grid.unit + self.grid.base

    @cached_property
    def moment(self) -> int | None:
        """The time of all rows, in units since the base, if they have a single one, as in a daily run; else None."""
        times = self.place & ((1 << self.grid.bits) - 1)
        return int(times[0]) if len(times) and (times == times[0]).all() else None

    @cached_property
    def count_before(self) -> Callable[[np.ndarray], np.ndarray]:
        """A function that counts the rows before each of some places."""
        return counted_below(self.place, self.grid)

    def __len__(self) -> int:
        return len(self.place)

    def ranges(self, items: Items, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """First tile of each row's window, and the tile after its last."""
        before = self._cached((id(items), "before"), lambda: items.count_before(self.place))
        return self._cached((id(items), window.name), lambda: self._first(items, window)), before

    def _first(self, items: Items, window: Window) -> np.ndarray:
        if window.is_lifetime:
            return items.count_before(self.code << self.grid.bits)
        if window.hop == self.grid.unit:
            start = np.maximum(self.place - window.width // window.hop, self.code << self.grid.bits)
        else:
            start = self.grid.place(self.code, window.start(self.at))
        return items.count_before(start)

    def _cached(self, name: tuple, compute: Callable[[], np.ndarray]) -> np.ndarray:
        if name not in self._ranges:
            self._ranges[name] = compute()
        return self._ranges[name]


CELLS = 8
"""A lookup table is built if it has at most this many cells for each sorted place, or for each queried one."""


def counted_below(ordered: np.ndarray, grid: Grid) -> Callable[[np.ndarray], np.ndarray]:
    """A function that counts, for each query, how many of some places (ascending) are smaller.

    It uses a lookup table over all places if that is small compared with the places or the queries, and otherwise
    binary search.
    """
    cells = ((int(ordered[-1]) >> grid.bits) + 1) << grid.bits if len(ordered) else 0
    lookup_tables: list[np.ndarray] = []

    def count(queries: np.ndarray) -> np.ndarray:
        if not lookup_tables and cells <= CELLS * max(len(ordered), len(queries)):
            lookup_tables.append(prefix_sums(np.bincount(ordered, minlength=cells)))
        return lookup_tables[0][np.minimum(queries, cells)] if lookup_tables else np.searchsorted(ordered, queries)

    return count


def is_run_start(*columns: np.ndarray) -> np.ndarray:
    """(n,) whether a run begins: whether a row differs from the previous row in any column; true for the first row."""
    out = np.ones(len(columns[0]), bool)
    np.not_equal(columns[0][1:], columns[0][:-1], out=out[1:])
    for column in columns[1:]:
        out[1:] |= column[1:] != column[:-1]
    return out


def runs(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row number at which each run of rows with equal columns begins, and the length of the run."""
    first = np.flatnonzero(is_run_start(*columns))
    return first, _lengths(first, len(columns[0]))


def _lengths(first: np.ndarray, count: int) -> np.ndarray:
    """Lengths of runs that begin at ``first`` and cover ``count`` rows."""
    length = np.empty_like(first)
    if len(first):
        np.subtract(first[1:], first[:-1], out=length[:-1])
        length[-1] = count - first[-1]
    return length


def prefix_sums(values: np.ndarray) -> np.ndarray:
    """(n + 1,) prefix sums of 0, 1, … n values: the sum over a range is the difference of two."""
    out = np.zeros(len(values) + 1, values.dtype)
    np.cumsum(values, out=out[1:])
    return out


def extreme(values: np.ndarray, first: np.ndarray, stop: np.ndarray, *, of: np.ufunc, empty: int) -> np.ndarray:
    """Minimum or maximum of each range, for ``of`` = ``np.minimum`` or ``np.maximum``; ``empty`` for an empty range.

    Each range is covered by two ranges whose length is a power of two (the sparse table of M. Bender and M.
    Farach-Colton, The LCA Problem Revisited, 2000); only one length is in memory at a time.
    """
    length = stop - first
    out = np.full(len(first), empty, values.dtype)
    power = np.frexp(length.astype(np.float64))[1] - 1  # floor of log2
    best = values
    for level in range(int(power.max(initial=-1)) + 1):
        if level:
            half = 1 << (level - 1)
            best = of(best[:-half], best[half:])
        ranges = np.flatnonzero(power == level)
        out[ranges] = of(best[first[ranges]], best[stop[ranges] - (1 << level)])
    return out


def expand_ranges(first: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All positions of some ranges, range by range, and the number of the range that each position belongs to."""
    length = stop - first
    owner = np.repeat(np.arange(len(first)), length)
    ends = np.cumsum(length)
    return np.arange(len(owner)) + (first - (ends - length))[owner], owner


def blocks(first: np.ndarray, stop: np.ndarray, size: int) -> list[slice]:
    """Slices of the ranges that have about ``size`` positions each."""
    total = np.cumsum(stop - first)
    if not len(total):
        return []
    cuts = np.searchsorted(total, np.arange(size, total[-1], size)) + 1
    edges = np.unique(np.concatenate([[0], cuts, [len(first)]]))
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def sort_rows(*columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """Sorts rows of non-negative integers by the first column, then the second, and so on; returns the columns.

    Rows that fit are packed into one integer each, which sorts faster than row numbers by several columns.
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


def sort_order(*columns: np.ndarray) -> np.ndarray:
    """(n,) row numbers that sort rows of non-negative integers by the first column, then the second, and so on."""
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
"""Rows from which it is decided whether equal values stand together."""


def encode(frames: list[pl.Series]) -> tuple[pl.Series, list[np.ndarray]]:
    """Distinct texts or integers, sorted, and for each series its (n,) codes, positions among them."""
    parts = [_run_values(series) for series in frames]
    all_values = pl.concat([values for values, _ in parts], rechunk=True).to_arrow(compat_level=pl.CompatLevel.newest())
    coded = all_values.dictionary_encode()
    words = pl.Series(pl.from_arrow(coded.dictionary), dtype=frames[0].dtype)
    order = words.arg_sort().to_numpy()
    rank = np.empty(len(words), np.int64)
    rank[order] = np.arange(len(words))
    ranked = rank[coded.indices.to_numpy()]
    pieces = np.split(ranked, np.cumsum([len(values) for values, _ in parts])[:-1])
    series_codes = [
        codes if length is None else np.repeat(codes, length) for codes, (_, length) in zip(pieces, parts, strict=True)
    ]
    return words.gather(order), series_codes


def _run_values(values: pl.Series) -> tuple[pl.Series, np.ndarray | None]:
    """The value and length of each run of equal values if that at least halves the rows; else all values, and None.

    The tiles of a day are sorted by key, so that equal keys stand together.
    """
    if 2 * len(_run_starts(values.head(SAMPLE))) > min(len(values), SAMPLE):
        return values, None
    first = _run_starts(values)
    return values.gather(first), _lengths(first, len(values))


def _run_starts(values: pl.Series) -> np.ndarray:
    return np.flatnonzero((values != values.shift(1)).fill_null(True).to_numpy())
