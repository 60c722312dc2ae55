"""Decodes packed values to numpy, whole columns at a time. Imports only numpy."""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from feature_repo.packed import checksum
from feature_repo.packed.schema import (
    CHECKSUM_BYTES,
    FIXED,
    FORMAT,
    HEADER,
    Column,
    Schema,
    damaged,
)

_UNREAD = object()
_LOOP_LIMIT = 16
"""Maximum number of values for which a Python loop is faster than numpy."""


class Block:
    """Packed values of one view that share one schema.

    Attributes:
        schema: schema with which the values were written.
        rows: number of values.
    """

    def __init__(self, schema: Schema, fixed: bytes, stride: int, values: Sequence[bytes]) -> None:
        self.schema, self.rows = schema, len(values)
        self._fixed, self._stride, self._values = fixed, stride, values
        self._nulls: Any = _UNREAD

    def __len__(self) -> int:
        return self.rows

    @property
    def header(self) -> np.ndarray:
        """(rows,) headers, of dtype ``HEADER``."""
        return np.ndarray(self.rows, HEADER, self._fixed, 0, (self._stride,))

    @property
    def event(self) -> np.ndarray:
        """(rows,) event times in microseconds since 1970; ``UNKNOWN_TIME`` where there is no value."""
        return self.header["event"]

    @property
    def nulls(self) -> np.ndarray | None:
        """(rows, columns) null mask; None if nothing is null."""
        if self._nulls is _UNREAD:
            self._nulls = self._read_nulls()
        return self._nulls

    def _read_nulls(self) -> np.ndarray | None:
        if self.rows <= _LOOP_LIMIT:
            start, stop, no_nulls = self.schema.nulls, self.schema.fixed_bytes, self.schema.no_nulls
            if all(value[start:stop] == no_nulls for value in self._values):
                return None
        size = (len(self.schema.columns) + 7) // 8
        bits = np.ndarray((self.rows, size), np.uint8, self._fixed, self.schema.nulls, (self._stride, 1))
        if not bits.any():
            return None
        return np.unpackbits(bits, axis=1, count=len(self.schema.columns), bitorder="little").view(bool)

    def is_null(self, name: str) -> np.ndarray:
        """Returns the (rows,) null mask of a column."""
        return np.zeros(self.rows, bool) if self.nulls is None else self.nulls[:, self.schema.index[name]]

    def region(self, dtype: np.dtype, offset: int, width: int) -> np.ndarray:
        """Returns the fixed columns of one type as a (rows, width) view of the bytes."""
        return np.ndarray((self.rows, width), dtype, self._fixed, offset, (self._stride, dtype.itemsize))

    def numbers(self, name: str) -> np.ndarray:
        """Returns a view of a fixed column: (rows,) numbers or (rows, length) vectors; 0 where null."""
        place = self.schema.places[name]
        column = self.schema.columns[self.schema.index[name]]
        dtype = np.dtype(place.region)
        values = self.region(dtype, place.offset + place.start * dtype.itemsize, place.width)
        values = values if column.kind == "vector" else values[:, 0]
        return values.view(bool) if column.dtype == "Bool" else values

    def vectors(self, name: str) -> np.ndarray | None:
        """Returns a column of float lists as a (rows, length) matrix if all lists have one length; NaN where null.

        None if the lengths differ, or if there are no lists. Copies once for all rows.
        """
        place = [column.name for column in self.schema.variable].index(name)
        column = self.schema.variable[place]
        starts, stops = self._bounds(place)
        is_present = ~self.is_null(name)
        sizes = (stops - starts)[is_present]
        dtype = np.dtype(FIXED[column.element or ""])
        if dtype.kind != "f" or not sizes.any() or sizes.min() != sizes.max() or sizes[0] % dtype.itemsize:
            return None
        rows = zip(self._values, starts.tolist(), stops.tolist(), strict=True)
        if is_present.all():
            return np.frombuffer(b"".join([value[start:stop] for value, start, stop in rows]), dtype).reshape(
                self.rows, -1
            )
        raw_lists = [
            value[start:stop]
            for (value, start, stop), present in zip(rows, is_present.tolist(), strict=True)
            if present
        ]
        matrix = np.full((self.rows, int(sizes[0]) // dtype.itemsize), np.nan, dtype)
        matrix[is_present] = np.frombuffer(b"".join(raw_lists), dtype).reshape(len(raw_lists), -1)
        return matrix

    def _bounds(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the start and end offsets of a variable-length column in each value, both (rows,)."""
        shape, first = (self.rows, len(self.schema.variable)), self.schema.fixed_bytes
        ends = np.ndarray(shape, "<u4", self._fixed, self.schema.ends, (self._stride, 4))
        starts = (ends[:, place - 1] if place else np.zeros(self.rows, "<u4")).astype(np.int64) + first
        return starts, ends[:, place].astype(np.int64) + first

    def objects(self, name: str) -> list[Any]:
        """Returns (rows,) values of a variable-length column: str, bytes, array, list of str or list of bytes; or None.

        Raises:
            StoreError: the bytes are not valid values of the column.
        """
        place = [column.name for column in self.schema.variable].index(name)
        column = self.schema.variable[place]
        starts, stops = self._bounds(place)
        read = _READERS[column.kind](column)
        is_missing = self.is_null(name).tolist()
        try:
            return [
                None if null else read(value[start:stop])
                for value, start, stop, null in zip(
                    self._values, starts.tolist(), stops.tolist(), is_missing, strict=True
                )
            ]
        except (ValueError, IndexError) as error:
            raise damaged(self.schema.view, f"{column.name}: {error}") from error


def decode(
    values: Sequence[bytes | None],
    schema: Schema,
    older: Callable[[int], Schema | None],
) -> "Block | Mixed":
    """Decodes packed values of a view.

    Args:
        values: packed values from Redis; None where there is none.
        schema: current schema of the view.
        older: function from a fingerprint to an earlier schema of the view; it returns None if unknown.

    Raises:
        StoreError: a value is damaged, or has another format or an unknown schema.
    """
    try:
        block = _block(values, schema)  # type: ignore[arg-type]
    except TypeError:  # some values are None: this check is free in the usual case
        values = [schema.blank if value is None else value for value in values]
        block = _block(values, schema)  # type: ignore[arg-type]
    if block is not None:
        return block
    raw_values: Sequence[bytes] = values  # type: ignore[assignment]
    damaged_index = checksum.first_damaged(raw_values)
    if damaged_index is not None:
        raise damaged(schema.view, f"{len(raw_values[damaged_index])} bytes whose checksum is wrong")
    indices_by_tag: dict[bytes, list[int]] = {}
    for index, value in enumerate(raw_values):
        indices_by_tag.setdefault(value[:8], []).append(index)
    parts = []
    for tag, indices in indices_by_tag.items():
        if len(tag) < 8 or tag[0] != FORMAT or tag[1:4] != b"\0\0\0":
            raise damaged(schema.view, f"a value of format {tag[0] if tag else None}, this reader knows {FORMAT}")
        fingerprint = int.from_bytes(tag[4:], "little")
        own_schema = schema if fingerprint == schema.fingerprint else older(fingerprint)
        if own_schema is None:
            raise damaged(schema.view, f"values of an unknown schema {fingerprint:08x}")
        part = _block([raw_values[index] for index in indices], own_schema)
        if part is None:
            raise damaged(schema.view, "values shorter or longer than their schema says")
        parts.append((np.array(indices), part))
    return Mixed(schema, len(raw_values), parts)


def _block(values: Sequence[bytes], schema: Schema) -> Block | None:
    """Returns a block if all values have this schema, consistent lengths and correct checksums; None otherwise."""
    if not values:
        return Block(schema, schema.blank, len(schema.blank), values)
    if len(values) == 1 and values[0] is not None:
        return _one_row_block(values[0], schema)
    return (_variable_length_block if schema.variable else _fixed_length_block)(values, schema)


def _one_row_block(value: bytes, schema: Schema) -> Block | None:
    """See ``_block``: the usual lookup of one entity, without joining and comparing columns."""
    size = schema.fixed_bytes + CHECKSUM_BYTES
    if schema.variable:
        if len(value) < size:
            return None
        stops = schema.read_ends(value, schema.ends)
        size += _padded(stops[-1])
        if sorted(stops) != list(stops):
            return None
    if len(value) != size or value[:8] != schema.head or not checksum.are_sound(value, 1):
        return None
    return Block(schema, value, size, [value])


def _fixed_length_block(values: Sequence[bytes], schema: Schema) -> Block | None:
    joined, stride = b"".join(values), schema.fixed_bytes + CHECKSUM_BYTES
    if len(joined) != stride * len(values) or (len(values) > 1 and len(set(map(len, values))) > 1):
        return None
    block = Block(schema, joined, stride, values)
    if not _has_schema(block, values, schema):
        return None
    return block if checksum.are_sound(joined, len(values)) else None


def _variable_length_block(values: Sequence[bytes], schema: Schema) -> Block | None:
    fixed = schema.fixed_bytes
    heads = b"".join([value[:fixed] for value in values])
    if len(heads) != fixed * len(values):
        return None
    block = Block(schema, heads, fixed, values)
    return block if _has_schema(block, values, schema) and _are_sound(values, schema) else None


def _are_sound(values: Sequence[bytes], schema: Schema) -> bool:
    """Whether values with variable-length columns have consistent lengths and correct checksums."""
    fixed, columns = schema.fixed_bytes, len(schema.variable)
    if len(values) <= _LOOP_LIMIT:
        for value in values:
            stops = list(schema.read_ends(value, schema.ends))
            if len(value) != fixed + _padded(stops[-1]) + CHECKSUM_BYTES or sorted(stops) != stops:
                return False
        return all(checksum.are_sound(value, 1) for value in values)
    heads = b"".join([value[:fixed] for value in values])
    ends = np.ndarray((len(values), columns), "<u4", heads, schema.ends, (fixed, 4)).astype(np.int64)
    sizes = np.fromiter(map(len, values), np.int64, len(values))
    return bool(
        (sizes == fixed + _padded(ends[:, -1]) + CHECKSUM_BYTES).all()
        and (ends[:, 1:] >= ends[:, :-1]).all()
        and checksum.first_damaged(values) is None
    )


def _padded(size: Any) -> Any:
    """Rounds a size in bytes up to a multiple of the word size."""
    return -(-size // checksum.WORD) * checksum.WORD


def _has_schema(block: Block, values: Sequence[bytes], schema: Schema) -> bool:
    if len(values) <= _LOOP_LIMIT:
        return all(value[:8] == schema.head for value in values)
    return bool((block.header["tag"] == schema.tag).all())


class Mixed:
    """Packed values of one view with several schemas: some were written before the view's columns changed.

    Has the interface of a ``Block`` with the current schema. A column is null in values that lack it, or that have it
    in a type that does not convert to the current type without loss.
    """

    def __init__(self, schema: Schema, rows: int, parts: list[tuple[np.ndarray, Block]]) -> None:
        self.schema, self.rows, self._parts = schema, rows, parts

    def __len__(self) -> int:
        return self.rows

    @cached_property
    def event(self) -> np.ndarray:
        """See ``Block``."""
        return self.header["event"]

    @cached_property
    def header(self) -> np.ndarray:
        """See ``Block``."""
        out = np.empty(self.rows, HEADER)
        for places, part in self._parts:
            out[places] = part.header
        return out

    @cached_property
    def nulls(self) -> np.ndarray:
        """See ``Block``."""
        out = np.ones((self.rows, len(self.schema.columns)), bool)
        for place, column in enumerate(self.schema.columns):
            for places, part in self._parts:
                if _fits(part.schema, column):
                    out[places, place] = part.is_null(column.name)
        return out

    def is_null(self, name: str) -> np.ndarray:
        """See ``Block``."""
        return self.nulls[:, self.schema.index[name]]

    def numbers(self, name: str) -> np.ndarray:
        """See ``Block``."""
        column = self.schema.columns[self.schema.index[name]]
        dtype = np.dtype(bool if column.dtype == "Bool" else FIXED[column.element or column.dtype])
        out = np.zeros((self.rows, column.length) if column.kind == "vector" else self.rows, dtype)
        for places, part in self._parts:
            if _fits(part.schema, column):
                out[places] = part.numbers(name)
        return out

    def objects(self, name: str) -> list[Any]:
        """See ``Block``."""
        out: list[Any] = [None] * self.rows
        for places, part in self._parts:
            if _fits(part.schema, self.schema.columns[self.schema.index[name]]):
                for place, value in zip(places.tolist(), part.objects(name), strict=True):
                    out[place] = value
        return out


_WIDER = {("Int32", "Int64"), ("Int32", "Float64"), ("Float32", "Float64")}


def _fits(schema: Schema, column: Column) -> bool:
    """Whether values of a schema have the column, in its type or in one that converts to it without loss."""
    if column.name not in schema.index:
        return False
    old = schema.columns[schema.index[column.name]]
    return old == column or (old.dtype, column.dtype) in _WIDER


def _text(column: Column) -> Callable[[bytes], Any]:
    return bytes.decode


def _blob(column: Column) -> Callable[[bytes], Any]:
    return bytes


def _list_of_numbers(column: Column) -> Callable[[bytes], Any]:
    dtype = np.dtype(FIXED[column.element or ""])
    output_dtype = np.dtype(bool) if column.element == "Bool" else dtype

    def read(raw: bytes) -> np.ndarray:
        return np.frombuffer(raw, dtype).view(output_dtype)

    return read


def _list_of(decode_one: Callable[[bytes], Any]) -> Callable[[Column], Callable[[bytes], list[Any]]]:
    def reader(column: Column) -> Callable[[bytes], list[Any]]:
        def read(raw: bytes) -> list[Any]:
            count = int.from_bytes(raw[:4], "little")
            first = 4 + 4 * count
            if len(raw) < first:
                raise ValueError("a list that is cut short")
            stops = [first, *(np.frombuffer(raw, "<u4", count, 4).astype(np.int64) + first).tolist()]
            if stops[-1] != len(raw) or sorted(stops) != stops:
                raise ValueError("a list whose elements do not fill it")
            return [decode_one(raw[start:stop]) for start, stop in pairwise(stops)]

        return read

    return reader


_READERS: dict[str, Callable[[Column], Callable[[bytes], Any]]] = {
    "text": _text,
    "blob": _blob,
    "message": _blob,
    "numbers": _list_of_numbers,
    "texts": _list_of(bytes.decode),
    "blobs": _list_of(bytes),
}
