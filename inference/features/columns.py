"""Decoded columns of one view, one array a feature: the rows that a column cache holds, by number."""

from collections.abc import Callable
from typing import Any

import numpy as np

from feature_repo.packed.decode import Block, Mixed
from feature_repo.packed.schema import FIXED, UNKNOWN_TIME, Column, Schema
from inference.features.float_lists import FloatLists
from inference.features.plan import HeldFeatures


class Columns:
    """The columns of one view. A row is written once and then never changes, so that readers need no lock.

    Attributes:
        schema: schema of the view.
        capacity: numbers below this one have a place in the arrays.
        is_held: (capacity,) bool, the numbers whose rows are held.
    """

    def __init__(self, schema: Schema, held: HeldFeatures, capacity: int) -> None:
        """Make empty columns.

        Args:
            schema: schema of the view.
            held: the features to hold.
            capacity: number of rows to make room for.
        """
        self.schema, self.capacity, self._held = schema, capacity, held
        features = held.features
        self._columns = {name: schema.columns[schema.index[name]] for name in features}
        self.is_held = np.zeros(capacity, bool)
        self.event = np.zeros(capacity, np.int64)
        self.is_null = {name: np.zeros(capacity, bool) for name in features}
        self.lists = {
            name: FloatLists(capacity, np.dtype(FIXED[column.element or ""]))
            for name, column in self._columns.items()
            if _is_floats(column)
        }
        self.values = {
            name: _empty(column, capacity) for name, column in self._columns.items() if name not in self.lists
        }
        self.matrices: dict[np.dtype, np.ndarray] = {
            np.dtype(np.float32): np.zeros((capacity, len(held.numeric)), np.float32),
            np.dtype(np.float64): np.zeros((capacity, len(held.inputs)), np.float64),
        }
        """Numbers as a model takes them (float32) and as functions do (float64): NaN where null, times in seconds."""

    def grown(self, capacity: int) -> "Columns":
        """Return a copy with room for more rows."""
        copy, held = Columns(self.schema, self._held, capacity), slice(self.capacity)
        copy.is_held[held], copy.event[held] = self.is_held, self.event
        for dtype, matrix in self.matrices.items():
            copy.matrices[dtype][held] = matrix
        for name in self._columns:
            copy.is_null[name][held] = self.is_null[name]
        for name, values in self.values.items():
            copy.values[name][held] = values
        copy.lists = {name: lists.grown(capacity) for name, lists in self.lists.items()}
        return copy

    def write(self, numbers: np.ndarray, block: Block | Mixed) -> None:
        """Write rows that are not held yet; the others stay as they are.

        Args:
            numbers: (n,) numbers of the rows, each once.
            block: the (n,) rows.

        Raises:
            StoreError: a value is damaged.
        """
        rows = np.flatnonzero(~self.is_held[numbers])
        numbers = numbers[rows]
        self.event[numbers] = block.event[rows]
        nulls = None if block.nulls is None else block.nulls[rows]
        fixed: dict[str, np.ndarray] = {}
        for name, column in self._columns.items():
            is_null = None if nulls is None else nulls[:, self.schema.index[name]]
            if is_null is not None:
                self.is_null[name][numbers] = is_null
            if name in self.lists:
                present = slice(None) if is_null is None else ~is_null
                self.lists[name].write(numbers[present], _lists(block, name, rows[present]))
            elif column.is_fixed:
                fixed[name] = self.values[name][numbers] = block.numbers(name)[rows]
            else:
                self.values[name][numbers] = _objects(block.objects(name))[rows]
        for names, matrix in zip((self._held.numeric, self._held.inputs), self.matrices.values(), strict=True):
            columns = np.empty((len(names), len(numbers)), matrix.dtype)
            for place, name in enumerate(names):
                columns[place] = fixed[name] / 1e6 if self._columns[name].dtype == "UnixTimestamp" else fixed[name]
                if nulls is not None:
                    columns[place, nulls[:, self.schema.index[name]]] = np.nan
            matrix[numbers] = columns.T
        self.is_held[numbers] = True


class ColumnRows:
    """Rows of one lookup in held columns, with the interface of a ``Block``. Values are taken on access.

    Attributes:
        schema: schema of the view.
    """

    def __init__(self, columns: Columns, numbers: np.ndarray) -> None:
        """Take rows.

        Args:
            columns: the columns; rows that are written later do not count.
            numbers: (n,) numbers of the rows. A row that is not held is missing.
        """
        self.schema, self._columns, self._numbers = columns.schema, columns, numbers
        is_held = columns.is_held[numbers]
        self._missing = None if is_held.all() else ~is_held

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def event(self) -> np.ndarray:
        """(n,) event times in microseconds since 1970; ``UNKNOWN_TIME`` where there is no row."""
        event = self._columns.event[self._numbers]
        if self._missing is not None:
            event[self._missing] = UNKNOWN_TIME
        return event

    def is_null(self, name: str) -> np.ndarray:
        """Return the (n,) mask of rows without a value."""
        is_null = self._columns.is_null[name][self._numbers]
        return is_null if self._missing is None else is_null | self._missing

    def numbers(self, name: str) -> np.ndarray:
        """Return a fixed column: (n,) numbers or (n, length) vectors; anything where null."""
        return self._columns.values[name][self._numbers]

    def objects(self, name: str) -> list[Any]:
        """Return the (n,) values of a variable-length column; None where null. A caller may change them."""
        is_null = self.is_null(name)
        if name in self._columns.lists:
            values = np.empty(len(is_null), object)
            for place, value in zip(
                np.flatnonzero(~is_null).tolist(),
                self._columns.lists[name].take(self._numbers[~is_null]),
                strict=True,
            ):
                values[place] = value
            return values.tolist()
        values = self._columns.values[name][self._numbers]
        values[is_null] = None
        copied = _COPIES.get(self.schema.columns[self.schema.index[name]].kind)
        if copied is None:
            return values.tolist()
        return [None if value is None else copied(value) for value in values]

    def vectors(self, name: str) -> np.ndarray | None:
        """Return a column of float lists as ``Block.vectors`` does; None for lists of anything else."""
        lists = self._columns.lists.get(name)
        return None if lists is None else lists.vectors(self._numbers, ~self.is_null(name))

    def matrix(self, dtype: np.dtype, source: slice | np.ndarray) -> np.ndarray:
        """Return (n, k) values of some columns of the matrix of a type, NaN where missing."""
        matrix = self._columns.matrices[dtype].take(self._numbers, axis=0)[:, source]
        if self._missing is not None:
            matrix[self._missing] = np.nan
        return matrix


def _empty(column: Column, capacity: int) -> np.ndarray:
    if not column.is_fixed:
        return np.empty(capacity, object)
    dtype = bool if column.dtype == "Bool" else FIXED[column.element or column.dtype]
    return np.zeros((capacity, column.length) if column.kind == "vector" else capacity, dtype)


def _is_floats(column: Column) -> bool:
    return column.kind == "numbers" and np.dtype(FIXED[column.element or ""]).kind == "f"


def _lists(block: Block | Mixed, name: str, rows: np.ndarray) -> list[np.ndarray] | np.ndarray:
    """Return the lists of floats of some rows, as a matrix if all of the block are of one length."""
    vectors = block.vectors(name) if isinstance(block, Block) else None
    if vectors is not None:
        return vectors[rows]
    lists = block.objects(name)
    return [lists[row] for row in rows.tolist()]


def _objects(values: list[Any]) -> np.ndarray:
    column = np.empty(len(values), object)
    for place, value in enumerate(values):
        column[place] = value
    return column


_COPIES: dict[str, Callable[[Any], Any]] = {"numbers": np.copy, "texts": list, "blobs": list}
"""Kind of column → copy of a value that a caller could change."""
