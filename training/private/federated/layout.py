"""Tables of integers as words of a round: dense, or at places that are public.

A silo's own sparsity would say which pairs of tracks its listeners played together, so that it never decides which
words are sent: every silo sends all cells of a dense table, of the upper triangle of a symmetric one, or of a pattern
that everybody has (``Pattern``). Zeros are masked like all other numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from feature_repo.errors import InputError
from training.exact.sums import Sums, Table

MOST_WORDS = 2**25
"""Most words of a round: 256 MB of each silo."""


class Layout(Protocol):
    """Which cells of a table are words, in which order."""

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the table."""

    @property
    def words(self) -> int:
        """Number of words."""

    def pack(self, cells: sparse.csr_array) -> np.ndarray:
        """(words,) int64 cells of a table of this shape."""

    def unpack(self, words: np.ndarray) -> sparse.csr_array:
        """The table of (words,) int64 cells."""


@dataclass(frozen=True)
class Dense:
    """All cells, row by row.

    >>> Dense(1, 3).pack(sparse.csr_array([[4, 0, 5]])).tolist()
    [4, 0, 5]
    """

    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the table."""
        return self.rows, self.columns

    @property
    def words(self) -> int:
        """Number of words."""
        return self.rows * self.columns

    def pack(self, cells: sparse.csr_array) -> np.ndarray:
        """(words,) int64 cells."""
        return np.asarray(cells.toarray().ravel())

    def unpack(self, words: np.ndarray) -> sparse.csr_array:
        """The table of (words,) int64 cells."""
        return sparse.csr_array(words.reshape(self.shape))


@dataclass(frozen=True)
class Triangle:
    """The cells of a symmetric table on and above its diagonal, row by row: half of the words.

    >>> Triangle(2).pack(sparse.csr_array([[1, 2], [2, 3]])).tolist()
    [1, 2, 3]
    """

    size: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the table."""
        return self.size, self.size

    @property
    def words(self) -> int:
        """Number of words."""
        return self.size * (self.size + 1) // 2

    def pack(self, cells: sparse.csr_array) -> np.ndarray:
        """(words,) int64 cells."""
        return np.asarray(cells.toarray()[np.triu_indices(self.size)])

    def unpack(self, words: np.ndarray) -> sparse.csr_array:
        """The table of (words,) int64 cells."""
        table = np.zeros(self.shape, np.int64)
        table[np.triu_indices(self.size)] = words
        return sparse.csr_array(table + np.triu(table, 1).T)


@dataclass(frozen=True, eq=False)
class Pattern:
    """The cells at public places; what a silo has elsewhere is not sent, and is missing in the sum.

    Attributes:
        rows: (n,) rows of the cells.
        columns: (n,) columns of the cells.
        shape: shape of the table.

    >>> pairs = Pattern(np.array([0, 1]), np.array([1, 1]), (2, 2))
    >>> pairs.unpack(pairs.pack(sparse.csr_array([[1, 2], [2, 3]]))).toarray().tolist()
    [[0, 2], [0, 3]]
    """

    rows: np.ndarray
    columns: np.ndarray
    shape: tuple[int, int]

    @property
    def words(self) -> int:
        """Number of words."""
        return len(self.rows)

    def pack(self, cells: sparse.csr_array) -> np.ndarray:
        """(words,) int64 cells."""
        return np.asarray(sparse.csr_array(cells)[self.rows, self.columns]).ravel().astype(np.int64)

    def unpack(self, words: np.ndarray) -> sparse.csr_array:
        """The table of (words,) int64 cells."""
        return sparse.csr_array((words, (self.rows, self.columns)), self.shape)


@dataclass(frozen=True)
class TableWords:
    """One table of a round.

    Attributes:
        name: its name in the sums.
        layout: which of its cells are sent.
        is_signed: whether a person's share of a cell may be negative.
    """

    name: str
    layout: Layout
    is_signed: bool = False


@dataclass(frozen=True)
class Packing:
    """All tables of a round, one after the other.

    Attributes:
        tables: the tables.
        most: largest absolute value of a cell of one silo.

    >>> packing = Packing([TableWords("plays", Dense(1, 2))], most=100)
    >>> words = packing.pack(Sums({"plays": Table.of(sparse.csr_array([[3, 0]]), 3, "plays")}))
    >>> packing.unpack(words + words, silos=2)["plays"].toarray().tolist()
    [[6, 0]]
    """

    tables: Sequence[TableWords]
    most: int

    def __post_init__(self) -> None:
        if self.words > MOST_WORDS:
            raise InputError(
                expected=f"{MOST_WORDS:,} words of a round at most",
                found=f"{self.words:,}: "
                + ", ".join(f"{table.name} {table.layout.words:,}" for table in self.tables[:5]),
                next_command="refrain model federate recommendation --least-listeners 20  (a smaller catalogue)",
            )

    @property
    def words(self) -> int:
        """Number of words of all tables."""
        return sum(table.layout.words for table in self.tables)

    def pack(self, sums: Sums) -> np.ndarray:
        """(words,) uint64 of the tables of one silo; negative numbers modulo 2^64. Tables that are missing are zero.

        Raises:
            InputError: a table has another shape, is not sent, or has a cell beyond the bound.
        """
        surplus = {name for name, table in sums.tables.items() if table.cells.nnz} - {each.name for each in self.tables}
        if surplus:
            raise _refusal("tables that are sent", ", ".join(sorted(surplus)[:5]))
        words = np.zeros(self.words, np.int64)
        start = 0
        for table in self.tables:
            stop = start + table.layout.words
            if table.name in sums.tables:
                cells = sums[table.name]
                if cells.shape != table.layout.shape:
                    raise _refusal(f"{table.name} of {table.layout.shape}", str(cells.shape))
                words[start:stop] = table.layout.pack(cells)
                low, high = int(words[start:stop].min(initial=0)), int(words[start:stop].max(initial=0))
                if max(-low, high) > self.most or (low < 0 and not table.is_signed):
                    raise _refusal(f"cells of {table.name} up to {self.most:,}", f"{low:,} to {high:,}")
            start = stop
        return words.view(np.uint64)

    def unpack(self, words: np.ndarray, silos: int) -> Sums:
        """The tables of the sum of some silos.

        Raises:
            InputError: a number of words, or a cell, that no silos have which keep to the bound.
        """
        if words.dtype != np.uint64 or words.shape != (self.words,):
            raise _refusal(f"{self.words:,} words", f"{words.dtype} of {words.shape}")
        tables, start, limit = {}, 0, silos * self.most
        for table in self.tables:
            stop = start + table.layout.words
            cells = words[start:stop].view(np.int64)
            low, high = int(cells.min(initial=0)), int(cells.max(initial=0))
            if max(-low, high) > limit or (low < 0 and not table.is_signed):
                found = f"{low:,} to {high:,}; a silo did not keep to the terms, and the sum does not say which"
                raise _refusal(f"sums of {table.name} from {-limit if table.is_signed else 0:,} to {limit:,}", found)
            bound = limit if table.is_signed else high
            tables[table.name] = Table.of(table.layout.unpack(cells), bound, table.name, is_signed=table.is_signed)
            start = stop
        return Sums(tables)


def _refusal(expected: str, found: str) -> InputError:
    return InputError(
        expected=expected, found=found, next_command="refrain model federate --help  (the same terms at every silo)"
    )
