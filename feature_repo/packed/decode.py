"""Packed values read as numpy, whole columns at a time. Imports numpy alone."""

import struct
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
_FEW = 16
"""Up to so many values a loop in Python is faster than numpy."""


class Block:
    """Values of one view and one schema, (rows,) of them.

    Attributes:
        schema: that they were written with.
        header: (rows,) of ``HEADER``.
    """

    def __init__(self, schema: Schema, fixed: bytes, stride: int, values: Sequence[bytes]) -> None:
        self.schema, self.rows = schema, len(values)
        self._fixed, self._stride, self._values = fixed, stride, values
        self.header = np.ndarray(self.rows, HEADER, fixed, 0, (stride,))
        self._nulls: Any = _UNREAD

    def __len__(self) -> int:
        return self.rows

    @property
    def event(self) -> np.ndarray:
        """(rows,) microseconds since 1970; ``UNKNOWN_TIME`` where there is no value."""
        return self.header["event"]

    @property
    def nulls(self) -> np.ndarray | None:
        """(rows, columns) bool; None if nothing is null."""
        if self._nulls is _UNREAD:
            self._nulls = self._read_nulls()
        return self._nulls

    def _read_nulls(self) -> np.ndarray | None:
        if self.rows <= _FEW and all(
            value[self.schema.nulls : self.schema.fixed_bytes] == self.schema.no_nulls for value in self._values
        ):
            return None
        size = (len(self.schema.columns) + 7) // 8
        bits = np.ndarray((self.rows, size), np.uint8, self._fixed, self.schema.nulls, (self._stride, 1))
        if not bits.any():
            return None
        return np.unpackbits(bits, axis=1, count=len(self.schema.columns), bitorder="little").view(bool)

    def is_null(self, name: str) -> np.ndarray:
        """(rows,) bool."""
        return np.zeros(self.rows, bool) if self.nulls is None else self.nulls[:, self.schema.index[name]]

    def region(self, region: str, offset: int, width: int) -> np.ndarray:
        """(rows, width) of the fixed columns of one type: a view of the bytes."""
        dtype = np.dtype(region)
        return np.ndarray((self.rows, width), dtype, self._fixed, offset, (self._stride, dtype.itemsize))

    def numbers(self, name: str) -> np.ndarray:
        """(rows,) of a number, (rows, length) of a vector; 0 where it is null. A view of the bytes."""
        place = self.schema.places[name]
        column = self.schema.columns[self.schema.index[name]]
        offset = place.offset + place.start * np.dtype(place.region).itemsize
        found = self.region(place.region, offset, place.width)
        found = found if column.kind == "vector" else found[:, 0]
        return found.view(bool) if column.dtype == "Bool" else found

    def vectors(self, name: str) -> np.ndarray | None:
        """(rows, length) of a list of numbers if all that are there are of one length; NaN where it is null.

        None if they are of several lengths, or there are none. One copy for all rows.
        """
        place = [column.name for column in self.schema.variable].index(name)
        column = self.schema.variable[place]
        starts, stops = self._bounds(place)
        there = ~self.is_null(name)
        sizes = (stops - starts)[there]
        dtype = np.dtype(FIXED[column.element or ""])
        if not len(sizes) or dtype.kind != "f" or sizes.min() != sizes.max() or sizes[0] % dtype.itemsize:
            return None
        rows = zip(self._values, starts.tolist(), stops.tolist(), strict=True)
        if there.all():
            return np.frombuffer(b"".join([value[start:stop] for value, start, stop in rows]), dtype).reshape(
                self.rows, -1
            )
        known = [value[start:stop] for (value, start, stop), here in zip(rows, there.tolist(), strict=True) if here]
        found = np.full((self.rows, int(sizes[0]) // dtype.itemsize), np.nan, dtype)
        found[there] = np.frombuffer(b"".join(known), dtype).reshape(len(known), -1)
        return found

    def _bounds(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """Where the bytes of a column of any length begin and end in each value."""
        shape, first = (self.rows, len(self.schema.variable)), self.schema.fixed_bytes
        ends = np.ndarray(shape, "<u4", self._fixed, self.schema.ends, (self._stride, 4))
        starts = (ends[:, place - 1] if place else np.zeros(self.rows, "<u4")).astype(np.int64) + first
        return starts, ends[:, place].astype(np.int64) + first

    def objects(self, name: str) -> list[Any]:
        """(rows,) of a column of any length: str, bytes, numpy array, or list of str or bytes; None where it is null.

        Raises:
            StoreError: the bytes are no such values.
        """
        place = [column.name for column in self.schema.variable].index(name)
        column = self.schema.variable[place]
        starts, stops = self._bounds(place)
        read = _READERS[column.kind](column)
        missing = self.is_null(name).tolist()
        try:
            return [
                None if gone else read(value[start:stop])
                for value, start, stop, gone in zip(self._values, starts.tolist(), stops.tolist(), missing, strict=True)
            ]
        except (ValueError, IndexError) as error:
            raise damaged(self.schema.view, f"{column.name}: {error}") from error


def decode(
    values: Sequence[bytes | None],
    schema: Schema,
    older: Callable[[int], Schema | None],
    *,
    unchecked: Sequence[int] | None = None,
) -> "Block | Mixed":
    """Read values of a view.

    Args:
        values: as they lie in Redis; None where there is none.
        schema: that the view has now.
        older: fingerprint → a schema that the view had, None if that is not known.
        unchecked: places of those whose checksums are to be counted, where the others were read before; all if None.

    Raises:
        StoreError: bytes are damaged, of another format, or of an unknown schema.
    """
    try:
        block = _block(values, schema, unchecked)  # type: ignore[arg-type]
    except TypeError:  # some are None, which costs nothing to find out this way
        values = [schema.blank if value is None else value for value in values]
        block = _block(values, schema, unchecked)  # type: ignore[arg-type]
    if block is not None:
        return block
    found: Sequence[bytes] = values  # type: ignore[assignment]
    wrong = checksum.first_damaged(found)
    if wrong is not None:
        raise damaged(schema.view, f"{len(found[wrong])} bytes whose checksum is wrong")
    tags: dict[bytes, list[int]] = {}
    for place, value in enumerate(found):
        tags.setdefault(value[:8], []).append(place)
    parts = []
    for tag, places in tags.items():
        if len(tag) < 8 or tag[0] != FORMAT or tag[1:4] != b"\0\0\0":
            raise damaged(schema.view, f"a value of format {tag[0] if tag else None}, this reader knows {FORMAT}")
        fingerprint = int.from_bytes(tag[4:], "little")
        written = schema if fingerprint == schema.fingerprint else older(fingerprint)
        if written is None:
            raise damaged(schema.view, f"values of an unknown schema {fingerprint:08x}")
        part = _block([found[place] for place in places], written)
        if part is None:
            raise damaged(schema.view, "values shorter or longer than their schema says")
        parts.append((np.array(places), part))
    return Mixed(schema, len(found), parts)


def _block(values: Sequence[bytes], schema: Schema, unchecked: Sequence[int] | None = None) -> Block | None:
    """The values if all are sound, of this schema, and of the length that they say; None otherwise."""
    if not values:
        return Block(schema, schema.blank, len(schema.blank), values)
    fresh = values if unchecked is None else [values[place] for place in unchecked]
    return (_of_any_length if schema.variable else _of_one_length)(values, schema, fresh)


def _of_one_length(values: Sequence[bytes], schema: Schema, fresh: Sequence[bytes]) -> Block | None:
    whole, stride = b"".join(values), schema.fixed_bytes + CHECKSUM_BYTES
    if len(whole) != stride * len(values) or (len(values) > 1 and len(set(map(len, values))) > 1):
        return None
    block = Block(schema, whole, stride, values)
    if not _is_of(block, values, schema):
        return None
    raw = whole if fresh is values else b"".join(fresh)
    return block if not fresh or checksum.are_sound(raw, len(fresh)) else None


def _of_any_length(values: Sequence[bytes], schema: Schema, fresh: Sequence[bytes]) -> Block | None:
    fixed = schema.fixed_bytes
    heads = b"".join([value[:fixed] for value in values])
    if len(heads) != fixed * len(values):
        return None
    block = Block(schema, heads, fixed, values)
    return block if _is_of(block, values, schema) and _are_whole(fresh, schema) else None


def _are_whole(values: Sequence[bytes], schema: Schema) -> bool:
    """Whether values with columns of any length are as long as they say, and end in their checksums."""
    fixed, columns = schema.fixed_bytes, len(schema.variable)
    if len(values) <= _FEW:
        ends_of = struct.Struct(f"<{columns}I").unpack_from
        for value in values:
            stops = list(ends_of(value, schema.ends))
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
    """Bytes up to the next whole word."""
    return -(-size // checksum.WORD) * checksum.WORD


def _is_of(block: Block, values: Sequence[bytes], schema: Schema) -> bool:
    if len(values) <= _FEW:
        return all(value[:8] == schema.head for value in values)
    return bool((block.header["tag"] == schema.tag).all())


class Mixed:
    """Values of several schemas of one view: some were written before the view's columns changed.

    Reads like a ``Block`` of the view's schema of now. A column that a value lacks, or has in a type that does not
    fit the one of now without loss, is null there.
    """

    def __init__(self, schema: Schema, rows: int, parts: list[tuple[np.ndarray, Block]]) -> None:
        self.schema, self.rows, self._parts = schema, rows, parts

    def __len__(self) -> int:
        return self.rows

    @cached_property
    def event(self) -> np.ndarray:
        """As ``Block``'s."""
        return self.header["event"]

    @cached_property
    def header(self) -> np.ndarray:
        """As ``Block``'s."""
        out = np.empty(self.rows, HEADER)
        for places, part in self._parts:
            out[places] = part.header
        return out

    @cached_property
    def nulls(self) -> np.ndarray:
        """As ``Block``'s."""
        out = np.ones((self.rows, len(self.schema.columns)), bool)
        for place, column in enumerate(self.schema.columns):
            for places, part in self._parts:
                if _fits(part.schema, column):
                    out[places, place] = part.is_null(column.name)
        return out

    def is_null(self, name: str) -> np.ndarray:
        """As ``Block``'s."""
        return self.nulls[:, self.schema.index[name]]

    def numbers(self, name: str) -> np.ndarray:
        """As ``Block``'s."""
        column = self.schema.columns[self.schema.index[name]]
        dtype = np.dtype(bool if column.dtype == "Bool" else FIXED[column.element or column.dtype])
        out = np.zeros((self.rows, column.length) if column.kind == "vector" else self.rows, dtype)
        for places, part in self._parts:
            if _fits(part.schema, column):
                out[places] = part.numbers(name)
        return out

    def objects(self, name: str) -> list[Any]:
        """As ``Block``'s."""
        out: list[Any] = [None] * self.rows
        for places, part in self._parts:
            if _fits(part.schema, self.schema.columns[self.schema.index[name]]):
                for place, value in zip(places.tolist(), part.objects(name), strict=True):
                    out[place] = value
        return out


_WIDER = {("Int32", "Int64"), ("Int32", "Float64"), ("Float32", "Float64")}


def _fits(schema: Schema, column: Column) -> bool:
    """Whether a value of that schema has the column, in its type or in one that goes into it without loss."""
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
    kept = np.dtype(bool) if column.element == "Bool" else dtype

    def read(raw: bytes) -> np.ndarray:
        return np.frombuffer(raw, dtype).view(kept)

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
