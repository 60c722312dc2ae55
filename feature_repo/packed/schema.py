"""The schema of packed values: the layout of a view's columns in bytes.

A value consists of a header, the columns of fixed width, the null bits, the variable-length columns, and a checksum.
docs/packed_format.md specifies it byte by byte, with test vectors for other readers.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from feature_repo.errors import StoreError
from feature_repo.packed import checksum

FORMAT = 1
"""Version of the format, the first byte of every value."""

HEADER = np.dtype([("tag", "<u8"), ("event", "<i8"), ("created", "<i8")])
"""Format (1 byte), zero (3), fingerprint of the schema (4); event and created time in microseconds since 1970."""

UNKNOWN_TIME = int(np.iinfo(np.int64).min)
"""Placeholder for a missing created time, and for the event time of a missing row."""

CHECKSUM_BYTES = 4

FIXED = {
    "Float64": "<f8",
    "Int64": "<i8",
    "UnixTimestamp": "<i8",
    "Float32": "<f4",
    "Int32": "<i4",
    "Bool": "|u1",
}
"""Feast type → numpy type in a packed value. Timestamps are microseconds since 1970, UTC."""

TEXTS = ("String", "Json", "Uuid", "TimeUuid", "Decimal")
"""Feast types stored as UTF-8."""

BLOBS = ("Bytes", "PdfBytes", "ImageBytes")

_REGIONS = ("<f8", "<i8", "<f4", "<i4", "|u1")


@dataclass(frozen=True)
class Column:
    """One packed column, that is, one feature.

    Attributes:
        name: name of the feature.
        dtype: Feast's name of its type.
        length: length of a vector of fixed length; 0 for any other type.
    """

    name: str
    dtype: str
    length: int = 0

    @cached_property
    def element(self) -> str | None:
        """Element type of a list or set; None for any other type."""
        for prefix in ("Array(", "Set("):
            if self.dtype.startswith(prefix) and "(" not in self.dtype[len(prefix) :]:
                return self.dtype[len(prefix) : -1]
        return None

    @cached_property
    def kind(self) -> str:
        """Storage kind: ``number`` or ``vector`` (fixed width), ``text``, ``blob``, ``numbers``, ``texts``, ``blobs``,
        or ``message``, a protobuf ``feast.types.Value`` for maps, structs, nested lists and other types.
        """
        if self.dtype in FIXED:
            return "number"
        if self.dtype in TEXTS or self.dtype in BLOBS:
            return "text" if self.dtype in TEXTS else "blob"
        element = self.element
        if element in FIXED:
            return "vector" if self.length and element in ("Float32", "Float64") else "numbers"
        if element in TEXTS or element in BLOBS:
            return "texts" if element in TEXTS else "blobs"
        return "message"

    @cached_property
    def is_fixed(self) -> bool:
        """Whether the column has the same width in every value."""
        return self.kind in ("number", "vector")


@dataclass(frozen=True)
class Place:
    """Position of a fixed-width column. Columns of one numpy type form a region.

    Attributes:
        region: numpy type of the region.
        offset: offset of the region in the value, in bytes.
        start: offset of the column in the region, in elements.
        width: width of the column, in elements.
    """

    region: str
    offset: int
    start: int
    width: int


@dataclass(frozen=True)
class Group:
    """Columns of one type that are encoded together.

    Attributes:
        columns: the columns, at least one.
        nulls: null bit of each column.
        places: offset of each column in its region, in elements; for variable-length columns, their index among these.
        width: width of the region, in elements; 0 for variable-length columns.
    """

    columns: tuple[Column, ...]
    nulls: list[int]
    places: list[int]
    width: int


@dataclass(frozen=True)
class Schema:
    """The packed columns of a view, and the layout derived from them.

    Attributes:
        view: name of the view, for messages.
        columns: columns in the order of the null bits.
    """

    view: str = field(compare=False)
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, view: str, columns: Sequence[Sequence]) -> "Schema":
        """Builds a schema from (name, type) or (name, type, length) tuples; equal schemas are the same object."""
        return _cached_schema(view, tuple(Column(*column) for column in columns))

    @classmethod
    def from_text(cls, view: str, text: str | bytes) -> "Schema":
        """Parses a schema from ``text``."""
        return cls.of(view, json.loads(text)["columns"])

    @cached_property
    def text(self) -> str:
        """Canonical JSON, as stored in Redis; the fingerprint is its digest."""
        columns = [[column.name, column.dtype, column.length] for column in self.columns]
        return json.dumps({"format": FORMAT, "columns": columns}, separators=(",", ":"), ensure_ascii=True)

    @cached_property
    def fingerprint(self) -> int:
        """First four bytes of the SHA-256 of ``text``, little-endian."""
        return int.from_bytes(hashlib.sha256(self.text.encode()).digest()[:4], "little")

    @cached_property
    def tag(self) -> int:
        """First eight bytes of every value as a little-endian integer."""
        return self.fingerprint << 32 | FORMAT

    @cached_property
    def head(self) -> bytes:
        """First eight bytes of every value."""
        return self.tag.to_bytes(8, "little")

    @cached_property
    def index(self) -> dict[str, int]:
        """Column name → null bit."""
        return {column.name: place for place, column in enumerate(self.columns)}

    @cached_property
    def variable(self) -> tuple[Column, ...]:
        """Variable-length columns, in order."""
        return tuple(column for column in self.columns if not column.is_fixed)

    @cached_property
    def _layout(self) -> tuple[dict[str, Place], int, int, int]:
        """Positions of fixed columns; offsets of the ends, the null bits and the variable part."""
        places: dict[str, Place] = {}
        offset = HEADER.itemsize
        for region in _REGIONS:
            start = 0
            for column in self.columns:
                if column.is_fixed and FIXED[column.element or column.dtype] == region:
                    width = column.length or 1
                    places[column.name] = Place(region, offset, start, width)
                    start += width
            offset += start * np.dtype(region).itemsize
            if region == "<i4":
                ends = offset
                offset += 4 * len(self.variable)
        return places, ends, offset, -(-(offset + (len(self.columns) + 7) // 8) // checksum.WORD) * checksum.WORD

    @property
    def places(self) -> dict[str, Place]:
        """Fixed-width column → position."""
        return self._layout[0]

    def group(self, names: tuple[str, ...]) -> Group | None:
        """Returns columns of one type as a group; None if the view lacks the first name."""
        if names not in self._groups:
            exists = names[0] in self.index
            self._groups[names] = (
                self._make_group([self.columns[self.index[name]] for name in names]) if exists else None
            )
        return self._groups[names]

    def _make_group(self, columns: list[Column]) -> Group:
        if len({(column.dtype, column.length) for column in columns}) > 1:
            raise ValueError(f"columns of one type, not {columns}")
        nulls = [self.index[column.name] for column in columns]
        if not columns[0].is_fixed:
            return Group(tuple(columns), nulls, [self.variable.index(column) for column in columns], 0)
        places = [self.places[column.name] for column in columns]
        region_places = [place for place in self.places.values() if place.region == places[0].region]
        return Group(
            tuple(columns), nulls, [place.start for place in places], sum(place.width for place in region_places)
        )

    @cached_property
    def _groups(self) -> dict[tuple[str, ...], Group | None]:
        return {}

    @cached_property
    def ends(self) -> int:
        """Offset of the ends: one unsigned 32-bit end offset in the variable part per variable-length column."""
        return self._layout[1]

    @cached_property
    def read_ends(self) -> Callable[[bytes, int], tuple[int, ...]]:
        """Function that reads the ends of a value at an offset."""
        return struct.Struct(f"<{len(self.variable)}I").unpack_from

    @cached_property
    def nulls(self) -> int:
        """Offset of the null bits; the first column has the lowest bit of the first byte."""
        return self._layout[2]

    @cached_property
    def fixed_bytes(self) -> int:
        """Size in bytes of header, fixed columns, ends and null bits, padded to a multiple of four."""
        return self._layout[3]

    @cached_property
    def no_nulls(self) -> bytes:
        """Null bits of a value without nulls, with padding."""
        return bytes(self.fixed_bytes - self.nulls)

    @cached_property
    def blank(self) -> bytes:
        """The packed value of a missing row: all columns null, no event time."""
        value = np.zeros(self.fixed_bytes, np.uint8)
        value[: HEADER.itemsize] = np.frombuffer(
            np.array([(self.tag, UNKNOWN_TIME, UNKNOWN_TIME)], HEADER).tobytes(), np.uint8
        )
        value[self.nulls : self.nulls + (len(self.columns) + 7) // 8] = np.packbits(
            np.ones(len(self.columns), bool), bitorder="little"
        )
        return value.tobytes() + checksum.of_rows(value.view("<u4")[None]).astype("<u4").tobytes()


@lru_cache(maxsize=4096)
def _cached_schema(view: str, columns: tuple[Column, ...]) -> Schema:
    return Schema(view, columns)


def damaged(view: str, found: str) -> StoreError:
    """Builds the error for bytes that are not a valid value of a view."""
    return StoreError(
        expected=f"packed values of the view {view} in the online store",
        found=found,
        next_command="refrain materialize",
    )
