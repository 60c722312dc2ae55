"""Tables of integers that are sums over people."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from feature_repo.errors import InputError
from training.exact.fixed_point import proven


@dataclass(frozen=True)
class Table:
    """A sparse matrix of integers.

    Attributes:
        cells: int64, in the order of rows and columns, without zeros.
        bound: no cell of the table, nor of the sums that it was made of, is larger in absolute value.
        is_signed: whether a person's share of a cell may be negative.
    """

    cells: sparse.csr_array
    bound: int
    is_signed: bool = False

    @classmethod
    def of(cls, cells: sparse.csr_array, bound: int, what: str, *, is_signed: bool = False) -> "Table":
        """A table of some cells; equal cells are summed.

        Raises:
            InputError: a cell of at most ``bound`` could overflow.
        """
        proven(bound, what)
        table = sparse.csr_array(cells, dtype=np.int64)
        table.sum_duplicates()
        table.eliminate_zeros()
        return cls(table, bound, is_signed)

    def empty(self) -> "Table":
        """A table of the same shape without cells."""
        return Table(sparse.csr_array(self.cells.shape, dtype=np.int64), 0, self.is_signed)

    def digest(self, about: str = "") -> str:
        """SHA-256 of a text, and of the cells that are not zero, by row and column."""
        rows, columns = self.cells.nonzero()
        parts = (rows.astype("<i8"), columns.astype("<i8"), self.cells.data.astype("<i8"))
        return hashlib.sha256(about.encode() + b"".join(part.tobytes() for part in parts)).hexdigest()


@dataclass(frozen=True)
class Sums:
    """Tables by name. Those of people are added, and a person's are subtracted, exactly.

    Attributes:
        tables: name → table.

    >>> one = Sums({"plays": Table.of(sparse.csr_array([[2, 0, 1]]), 2, "plays")})
    >>> both = one + one
    >>> both["plays"].toarray().tolist(), (both - one).digests() == one.digests()
    ([[4, 0, 2]], True)
    """

    tables: Mapping[str, Table]

    def __getitem__(self, name: str) -> sparse.csr_array:
        return self.tables[name].cells

    def __add__(self, other: "Sums") -> "Sums":
        """The sums of both; a table that only one of them has is that one's.

        Raises:
            InputError: a cell could overflow, or the tables are of other items.
        """
        return Sums({name: _plus(name, *tables) for name, tables in self._beside(other)})

    def __sub__(self, other: "Sums") -> "Sums":
        """These sums without those of people that are in them.

        Raises:
            InputError: they are not: a count would be negative; or the tables are of other items.
        """
        return Sums({name: _minus(name, *tables) for name, tables in self._beside(other)})

    def digests(self) -> dict[str, str]:
        """Name → SHA-256 of the table, for those that are not empty."""
        return {name: table.digest() for name, table in sorted(self.tables.items()) if table.cells.nnz}

    def _beside(self, other: "Sums") -> Iterator[tuple[str, tuple[Table, Table]]]:
        for name in sorted({*self.tables, *other.tables}):
            left, right = self.tables.get(name), other.tables.get(name)
            left = left or right.empty()  # type: ignore[union-attr]
            right = right or left.empty()
            if left.cells.shape != right.cells.shape:
                raise InputError(
                    expected=f"sums of the same items: {name} of {left.cells.shape}",
                    found=str(right.cells.shape),
                    next_command="refrain model run recommendation  (counts anew)",
                )
            yield name, (left, right)


def _plus(name: str, left: Table, right: Table) -> Table:
    bound = proven(left.bound + right.bound, name)
    return Table.of(left.cells + right.cells, bound, name, is_signed=left.is_signed)


def _minus(name: str, left: Table, right: Table) -> Table:
    rest = Table.of(left.cells - right.cells, left.bound, name, is_signed=left.is_signed)
    if not left.is_signed and rest.cells.data.min(initial=0) < 0:
        raise InputError(
            expected=f"people whose rows are in the sums of {name}",
            found="rows that were never added",
            next_command="refrain model run recommendation  (counts anew)",
        )
    return rest
