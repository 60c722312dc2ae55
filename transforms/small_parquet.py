"""Small Parquet files, many at once: consecutive slices of one frame, each encoded as a file of its own.

Writers of libraries set up an encoder for every column of every file, which takes longer than encoding the few rows of
one listener's day. Here the values of a column are encoded once for all files, and each file is a join of parts of
them. The files are Parquet (https://parquet.apache.org/docs/file-format) in its plainest form, which every reader
knows: one row group, one page a column, PLAIN values, Snappy where it saves space, no statistics. The metadata are in
Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

MOST_ROWS = 500
"""Rows up to which a file is small; with more, what a library saves in space counts for more than time."""

_MAGIC, _CREATED_BY = b"PAR1", b"Refrain"
_SNAPPY = pa.Codec("snappy")
_FEWEST_BYTES = 128
"""Bytes of a page from which it is compressed."""

_NO_CODEC, _SNAPPY_CODEC = 0, 1
_PLAIN, _RLE = 0, 3
_I32, _I64, _BYTES, _LIST, _STRUCT = 5, 6, 8, 9, 12
"""Types of the compact protocol."""

Field = tuple[int, int, bytes]
"""Number, type and encoded value of a field of a Thrift structure."""


class _Type(NamedTuple):
    """How the values of a polars type are stored: the physical type, what says their meaning, bytes of a value."""

    physical: int
    meaning: tuple[Field, ...]
    width: int


_BOOLEAN, _INT64, _DOUBLE, _BYTE_ARRAY = 0, 2, 5, 6
_TYPES: dict[pl.DataType, _Type]


def is_small(rows: pl.DataFrame) -> bool:
    """Whether ``encode`` is meant for a frame: few rows, and columns of types that it knows."""
    return rows.height <= MOST_ROWS and all(dtype in _TYPES for dtype in rows.dtypes)


def encode(
    rows: pl.DataFrame, heights: Sequence[int], metadata: Sequence[Mapping[str, str]] | None = None
) -> Iterator[bytes]:
    """Yields the content of one file for each slice. Equal rows give equal bytes, whatever the other slices are.

    Args:
        rows: the rows of all files, one file after another, with columns of the types that ``is_small`` permits.
        heights: (files,) number of rows of each file.
        metadata: (files,) key-value metadata of each file.

    >>> from io import BytesIO
    >>> files = list(encode(pl.DataFrame({"user_id": ["ann", "bob", None], "n": [1, 2, 3]}), [2, 1]))
    >>> [pl.read_parquet(BytesIO(file)).rows() for file in files]
    [[('ann', 1), ('bob', 2)], [(None, 3)]]
    """
    edges = [*accumulate(heights, initial=0)]
    columns = [_Column(series, edges) for series in rows.get_columns()]
    schema = _schema(rows)
    for number, height in enumerate(heights):
        parts, chunks, position, raw_size = [_MAGIC], [], len(_MAGIC), 0
        for column in columns if height else ():
            header, page, page_size = column.page(number, height)
            parts += header, page
            size, unpacked_size = len(header) + len(page), len(header) + page_size
            chunks.append(column.chunk(position, height, size, unpacked_size))
            position += size
            raw_size += unpacked_size
        groups = [_row_group(chunks, height, raw_size)] if height else []
        footer = _footer(schema, height, groups, metadata[number] if metadata else {})
        yield b"".join((*parts, footer, len(footer).to_bytes(4, "little"), _MAGIC))


class _Column:
    """One column of all files, encoded.

    Args:
        series: the values.
        edges: (files + 1,) number of the first row of each file, and of all rows.
    """

    def __init__(self, series: pl.Series, edges: Sequence[int]) -> None:
        kind = _TYPES[series.dtype]
        self._edges = self._value_edges = edges
        self._is_present = None
        if series.null_count():
            self._is_present = series.is_not_null().to_numpy()
            counts = np.concatenate([[0], np.cumsum(self._is_present)])
            self._value_edges = counts[edges].tolist()
            series = series.drop_nulls()
        self._bits: np.ndarray | None = None
        self._content, self._starts = b"", self._value_edges
        if kind.physical == _BYTE_ARRAY:
            self._content, starts = _plain_texts(series)
            self._starts = starts[self._value_edges].tolist()
        elif kind.physical == _BOOLEAN:
            self._bits = series.to_numpy()
        else:
            self._content = series.to_physical().to_numpy().tobytes()
            self._starts = [edge * kind.width for edge in self._value_edges]
        name = series.name.encode()
        self._kinds = {
            codec: _fields(
                (1, _I32, _integer(kind.physical)),
                (2, _LIST, _list(_I32, [_integer(_PLAIN), _integer(_RLE)])),
                (3, _LIST, _list(_BYTES, [_bytes(name)])),
                (4, _I32, _integer(codec)),
            )
            for codec in (_NO_CODEC, _SNAPPY_CODEC)
        }

    def page(self, number: int, height: int) -> tuple[bytes, bytes, int]:
        """Header and content of the page of a file, and the size of the content before it was compressed."""
        start, stop = self._starts[number], self._starts[number + 1]
        if self._bits is None:
            values = self._content[start:stop]
        else:
            values = np.packbits(self._bits[start:stop], bitorder="little").tobytes()
        unpacked = self._levels(number, height) + values
        content = unpacked
        if len(unpacked) >= _FEWEST_BYTES:
            packed = _SNAPPY.compress(unpacked, asbytes=True)
            content = packed if len(packed) < len(unpacked) else unpacked
        return _page_header(len(unpacked), len(content), height), content, len(unpacked)

    def chunk(self, position: int, height: int, size: int, unpacked_size: int) -> bytes:
        """The metadata of the column in one file, whose page is at a position."""
        codec = _NO_CODEC if size == unpacked_size else _SNAPPY_CODEC
        place = _integer(position)
        # 2: file_offset, 3: meta_data of which 5: num_values, 6: total_uncompressed_size, 7: total_compressed_size,
        # 9: data_page_offset; joined without further calls, as it is done for each column of each file
        sizes = (b"\x16", _integer(height), b"\x16", _integer(unpacked_size), b"\x16", _integer(size))
        return b"".join((b"\x26", place, b"\x1c", self._kinds[codec], *sizes, b"\x26", place, b"\x00\x00"))

    def _levels(self, number: int, height: int) -> bytes:
        """Which values are there, as definition levels."""
        count = self._value_edges[number + 1] - self._value_edges[number]
        if self._is_present is None or count in (0, height):
            return _equal_levels(height, is_present=count > 0)
        bits = np.packbits(self._is_present[self._edges[number] : self._edges[number + 1]], bitorder="little").tobytes()
        return _with_length(_varint(len(bits) << 1 | 1) + bits)


def _plain_texts(texts: pl.Series) -> tuple[bytes, np.ndarray]:
    """Texts without nulls, each after its length in four bytes; and the (texts + 1,) byte at which each begins."""
    values = texts.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_binary())
    lengths = pc.binary_length(values).cast(pa.uint32())
    four_bytes = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(4), len(lengths), lengths.buffers(), offset=lengths.offset
    )
    joined = pc.binary_join_element_wise(four_bytes.cast(pa.large_binary()), values, pa.scalar(b"", pa.large_binary()))
    starts = np.concatenate([[0], np.cumsum(lengths.to_numpy(), dtype=np.int64)]) + 4 * np.arange(len(lengths) + 1)
    content = joined.buffers()[2]
    return (content.to_pybytes() if content else b""), starts


def _schema(rows: pl.DataFrame) -> bytes:
    """The version of the format, and the schema: a root, and an optional field for each column."""
    elements = [_struct((4, _BYTES, _bytes(b"root")), (5, _I32, _integer(rows.width)))]
    for name, dtype in rows.schema.items():
        kind = _TYPES[dtype]
        head = ((1, _I32, _integer(kind.physical)), (3, _I32, _integer(1)), (4, _BYTES, _bytes(name.encode())))
        elements.append(_struct(*head, *kind.meaning))
    return _fields((1, _I32, _integer(1)), (2, _LIST, _list(_STRUCT, elements)))


def _row_group(chunks: list[bytes], height: int, unpacked_size: int) -> bytes:
    return _struct((1, _LIST, _list(_STRUCT, chunks)), (2, _I64, _integer(unpacked_size)), (3, _I64, _integer(height)))


def _footer(schema: bytes, height: int, groups: list[bytes], metadata: Mapping[str, str]) -> bytes:
    pairs = [
        _struct((1, _BYTES, _bytes(key.encode())), (2, _BYTES, _bytes(value.encode())))
        for key, value in metadata.items()
    ]
    keys = [(5, _LIST, _list(_STRUCT, pairs))] if pairs else []
    rest = ((3, _I64, _integer(height)), (4, _LIST, _list(_STRUCT, groups)), *keys, (6, _BYTES, _bytes(_CREATED_BY)))
    return schema + _fields(*rest, after=2) + b"\x00"


@lru_cache(65_536)
def _page_header(unpacked_size: int, size: int, height: int) -> bytes:
    page = _struct(*((field, _I32, _integer(value)) for field, value in enumerate((height, _PLAIN, _RLE, _RLE), 1)))
    return _struct(
        (1, _I32, _integer(0)), (2, _I32, _integer(unpacked_size)), (3, _I32, _integer(size)), (5, _STRUCT, page)
    )


@lru_cache(65_536)
def _equal_levels(height: int, *, is_present: bool) -> bytes:
    """One run: every value is there, or none."""
    return _with_length(_varint(height << 1) + (b"\x01" if is_present else b"\x00"))


def _with_length(levels: bytes) -> bytes:
    return len(levels).to_bytes(4, "little") + levels


# The compact protocol of Thrift


def _struct(*fields: Field) -> bytes:
    return _fields(*fields) + b"\x00"


def _fields(*fields: Field, after: int = 0) -> bytes:
    """Fields of a structure; their numbers ascend by less than 16 from that ``after`` which they come."""
    parts = []
    for number, kind, value in fields:
        parts += bytes([(number - after) << 4 | kind]), value
        after = number
    return b"".join(parts)


def _list(kind: int, elements: Sequence[bytes]) -> bytes:
    count = len(elements)
    head = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + _varint(count)
    return head + b"".join(elements)


def _bytes(content: bytes) -> bytes:
    return _varint(len(content)) + content


@lru_cache(65_536)
def _integer(value: int) -> bytes:
    """A number that is not negative, in zigzag code."""
    return _varint(value << 1)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


_TRUE = 1
_MICROSECONDS = _struct((2, _STRUCT, _struct()))
_TYPES = {
    pl.Boolean(): _Type(_BOOLEAN, (), 0),
    pl.Int64(): _Type(_INT64, (), 8),
    pl.Float64(): _Type(_DOUBLE, (), 8),
    pl.String(): _Type(
        _BYTE_ARRAY,
        # converted_type: UTF8; logicalType: STRING
        ((6, _I32, _integer(0)), (10, _STRUCT, _struct((1, _STRUCT, _struct())))),
        0,
    ),
    pl.Datetime("us", "UTC"): _Type(
        _INT64,
        # converted_type: TIMESTAMP_MICROS; logicalType: TIMESTAMP, adjusted to UTC, in MICROS
        (
            (6, _I32, _integer(10)),
            (
                10,
                _STRUCT,
                _struct((8, _STRUCT, _struct((1, _TRUE, b""), (2, _STRUCT, _struct((2, _STRUCT, _struct())))))),
            ),
        ),
        8,
    ),
}
