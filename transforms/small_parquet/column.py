"""One column of many files: its values encoded once, from which the page of each file is taken.

A value is preceded by levels (https://parquet.apache.org/docs/file-format/nestedencoding): the definition level says
whether it is there, and for the elements of lists the repetition level whether it goes on with the list before it.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from transforms.small_parquet.thrift import BYTES, I32, LIST, STRUCT, fields_of, integer, sequence, sized, varint
from transforms.small_parquet.thrift import struct as structure
from transforms.small_parquet.types import BOOLEAN, BYTE_ARRAY, kind_of, path_of

_SNAPPY = pa.Codec("snappy")
_FEWEST_BYTES = 128
"""Bytes of a page from which it is compressed."""

_NO_CODEC, _SNAPPY_CODEC = 0, 1
_PLAIN, _RLE = 0, 3


class Column:
    """One column of all files, encoded.

    Args:
        series: the values of all files.
        edges: (files + 1,) number of the first row of each file, and of all rows.
    """

    def __init__(self, series: pl.Series, edges: Sequence[int]) -> None:
        kind = kind_of(series.dtype)
        assert kind is not None, series.dtype
        values = series.to_arrow(compat_level=pl.CompatLevel.oldest())
        self._repetition: np.ndarray | None = None
        self._definition: np.ndarray | None = None
        self._defined = 1
        if isinstance(series.dtype, pl.List):
            values, edges = self._elements(values, edges)
        elif values.null_count:
            self._definition = values.is_valid().to_numpy(zero_copy_only=False).astype(np.uint8)
        self._edges = value_edges = edges
        if self._definition is not None:
            is_present = self._definition == self._defined
            value_edges = np.concatenate([[0], np.cumsum(is_present)])[edges].tolist()
            values = values.drop_null()
        self._bits: np.ndarray | None = None
        self._content, self._starts = b"", value_edges
        if kind.physical == BYTE_ARRAY:
            self._content, starts = _plain_texts(values)
            self._starts = starts[value_edges].tolist()
        elif kind.physical == BOOLEAN:
            self._bits = values.to_numpy(zero_copy_only=False)
        else:
            self._content = values.to_numpy().tobytes()
            self._starts = [edge * kind.width for edge in value_edges]
        path = path_of(series.name, series.dtype)
        encodings = [integer(_PLAIN), integer(_RLE)]
        self._heads = {
            codec: fields_of(
                (1, I32, integer(kind.physical)),
                (2, LIST, sequence(I32, encodings)),
                (3, LIST, sequence(BYTES, [sized(part.encode()) for part in path])),
                (4, I32, integer(codec)),
            )
            for codec in (_NO_CODEC, _SNAPPY_CODEC)
        }

    def _elements(self, lists: pa.Array, edges: Sequence[int]) -> tuple[pa.Array, Sequence[int]]:
        """The elements of lists, and edges among their levels, which it sets; a list without elements has one level."""
        lengths = pc.list_value_length(lists).fill_null(0).to_numpy().astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(np.maximum(lengths, 1))])
        elements = pc.list_flatten(lists)
        is_element = np.ones(starts[-1], bool)
        is_element[starts[:-1][lengths == 0]] = False
        self._defined = 3
        self._definition = np.ones(starts[-1], np.uint8)
        self._definition[starts[:-1][~lists.is_valid().to_numpy(zero_copy_only=False)]] = 0
        self._definition[is_element] = np.where(elements.is_valid().to_numpy(zero_copy_only=False), 3, 2)
        self._repetition = np.ones(starts[-1], np.uint8)
        self._repetition[starts[:-1]] = 0
        return elements, starts[edges].tolist()

    def page(self, number: int) -> tuple[bytes, bytes, int]:
        """Header and content of the page of a file, and the size of the content before it was compressed."""
        start, stop = self._starts[number], self._starts[number + 1]
        if self._bits is None:
            values = self._content[start:stop]
        else:
            values = np.packbits(self._bits[start:stop], bitorder="little").tobytes()
        first, last = self._edges[number], self._edges[number + 1]
        if self._definition is None:
            unpacked = _equal_levels(last - first, 1) + values
        else:
            levels = _levels(self._definition[first:last], self._defined)
            unpacked = levels + values
            if self._repetition is not None:
                unpacked = _levels(self._repetition[first:last], 1) + unpacked
        content = unpacked
        if len(unpacked) >= _FEWEST_BYTES:
            packed = _SNAPPY.compress(unpacked, asbytes=True)
            content = packed if len(packed) < len(unpacked) else unpacked
        return _page_header(len(unpacked), len(content), last - first), content, len(unpacked)

    def chunk(self, number: int, position: int, size: int, unpacked_size: int) -> bytes:
        """The metadata of the column in one file, whose page is at a position."""
        codec = _NO_CODEC if size == unpacked_size else _SNAPPY_CODEC
        count, place = integer(self._edges[number + 1] - self._edges[number]), integer(position)
        # 2: file_offset, 3: meta_data, of which 5: num_values, 6: total_uncompressed_size, 7: total_compressed_size,
        # 9: data_page_offset; joined without further calls, as it is done for each column of each file
        sizes = (b"\x16", count, b"\x16", integer(unpacked_size), b"\x16", integer(size))
        return b"".join((b"\x26", place, b"\x1c", self._heads[codec], *sizes, b"\x26", place, b"\x00\x00"))


def _plain_texts(texts: pa.Array) -> tuple[bytes, np.ndarray]:
    """Texts without nulls, each after its length in four bytes; and the (texts + 1,) byte at which each begins."""
    values = texts.cast(pa.large_binary())
    lengths = pc.binary_length(values).to_numpy(zero_copy_only=False).astype("<u4")
    heads = pa.FixedSizeBinaryArray.from_buffers(pa.binary(4), len(lengths), [None, pa.py_buffer(lengths)])
    joined = pc.binary_join_element_wise(heads.cast(pa.large_binary()), values, pa.scalar(b"", pa.large_binary()))
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]) + 4 * np.arange(len(lengths) + 1)
    content = joined.buffers()[2]
    return (content.to_pybytes() if content else b""), starts


@lru_cache(65_536)
def _page_header(unpacked_size: int, size: int, count: int) -> bytes:
    page = structure(*((field, I32, integer(value)) for field, value in enumerate((count, _PLAIN, _RLE, _RLE), 1)))
    return structure((1, I32, integer(0)), (2, I32, integer(unpacked_size)), (3, I32, integer(size)), (5, STRUCT, page))


def _levels(levels: np.ndarray, most: int) -> bytes:
    """Levels up to 1 or 3: one run if all are equal, else packed by eight."""
    first = int(levels[0])
    if (levels == first).all():
        return _equal_levels(len(levels), first)
    bits = np.unpackbits(levels[:, None], axis=1, bitorder="little", count=most.bit_length()).ravel()
    groups = -(-len(levels) // 8)
    packed = np.packbits(bits, bitorder="little").tobytes().ljust(groups * most.bit_length(), b"\x00")
    return _with_length(varint(groups << 1 | 1) + packed)


@lru_cache(65_536)
def _equal_levels(count: int, level: int) -> bytes:
    return _with_length(varint(count << 1) + bytes([level]))


def _with_length(levels: bytes) -> bytes:
    return len(levels).to_bytes(4, "little") + levels
