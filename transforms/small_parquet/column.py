"""One column of many files: its values encoded once, from which the page of each file is taken.

A value is preceded by levels (https://parquet.apache.org/docs/file-format/nestedencoding): the definition level says
whether it is there, and for the elements of lists the repetition level whether it goes on with the list before it.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from transforms.small_parquet.levels import equal_levels, levels_of_files, packed_bits
from transforms.small_parquet.thrift import BYTES, I32, LIST, fields_of, integer, sequence, sized
from transforms.small_parquet.types import BOOLEAN, BYTE_ARRAY, kind_of, path_of

_SNAPPY = pa.Codec("snappy")
_FEWEST_BYTES = 128
"""Bytes of a page from which it is compressed."""

_NO_CODEC, _SNAPPY_CODEC = 0, 1
_PLAIN, _RLE = 0, 3
_ENCODINGS = b"\x15\x00\x15\x06\x15\x06\x00\x00"
"""The end of the header of a page."""


class Pages(NamedTuple):
    """The page of a column in each file; that of a file without rows has no meaning.

    Attributes:
        contents: (files,) header and values as the file has them.
        unpacked_sizes: (files,) bytes of the content before the values were compressed.
        metadata: (files,) what the end of the file says of the page, between the two places that say where it begins.
    """

    contents: list[bytes]
    unpacked_sizes: list[int]
    metadata: list[bytes]


def pages(series: pl.Series, heights: Sequence[int]) -> Pages:
    """Encodes a column.

    Args:
        series: the values of all files, one file after another.
        heights: (files,) number of rows of each file.
    """
    if not _is_constant(series):
        return Column(series, [*accumulate(heights, initial=0)]).pages()
    distinct = sorted(set(heights))  # files of as many rows have the same page
    values = series.new_from_index(0, sum(distinct))
    contents, unpacked_sizes, metadata = Column(values, [*accumulate(distinct, initial=0)]).pages()
    place = {height: number for number, height in enumerate(distinct)}
    places = [place[height] for height in heights]
    return Pages([contents[n] for n in places], [unpacked_sizes[n] for n in places], [metadata[n] for n in places])


def _is_constant(series: pl.Series) -> bool:
    """Whether a column surely has one value, or none; of numbers, equal ones may have other bytes."""
    if series.is_empty():
        return False
    if series.null_count():
        return series.null_count() == len(series)
    return series.dtype == pl.String and series[0] == series[-1] and bool((series == series[0]).all())


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
        if kind.physical == BYTE_ARRAY:
            self._content, starts = _plain_texts(values)
            self._starts = starts[value_edges].tolist()
        elif kind.physical == BOOLEAN:
            self._content, self._starts = packed_bits(values.to_numpy(zero_copy_only=False), value_edges, 1)
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

    def pages(self) -> Pages:
        """The page of each file."""
        edges, starts, values = self._edges, self._starts, self._content
        counts = [last - first for first, last in pairwise(edges)]
        heads = {codec: b"\x1c" + head for codec, head in self._heads.items()}
        pages = Pages([], [], [])
        # parts are joined without further calls, as this is done for each column of each file
        for levels, count, start, stop in zip(self._levels(counts), counts, starts[:-1], starts[1:], strict=True):
            body = levels + values[start:stop]
            full_size, codec = len(body), _NO_CODEC
            if full_size >= _FEWEST_BYTES:
                packed = _SNAPPY.compress(body, asbytes=True)
                if len(packed) < full_size:
                    body, codec = packed, _SNAPPY_CODEC
            rows, size = integer(count), len(body)
            # 1: type (a data page), 2: uncompressed_page_size, 3: compressed_page_size, 5: data_page_header, of which
            # 1: num_values, 2: encoding (plain), 3 and 4: encodings of levels (RLE)
            header = (b"\x15\x00\x15", integer(full_size), b"\x15", integer(size), b"\x2c\x15", rows, _ENCODINGS)
            content = b"".join((*header, body))
            unpacked_size = len(content) - size + full_size
            # 3: meta_data, of which 5: num_values, 6: total_uncompressed_size, 7: total_compressed_size
            totals = (b"\x16", rows, b"\x16", integer(unpacked_size), b"\x16", integer(len(content)), b"\x26")
            pages.contents.append(content)
            pages.unpacked_sizes.append(unpacked_size)
            pages.metadata.append(b"".join((heads[codec], *totals)))
        return pages

    def _levels(self, counts: list[int]) -> list[bytes]:
        """(files,) The levels before the values of each file."""
        if self._definition is None:
            return [equal_levels(count, 1) for count in counts]
        definitions = levels_of_files(self._definition, self._edges, self._defined)
        if self._repetition is None:
            return definitions
        repetitions = levels_of_files(self._repetition, self._edges, 1)
        return [repetition + definition for repetition, definition in zip(repetitions, definitions, strict=True)]


def _plain_texts(texts: pa.Array) -> tuple[bytes, np.ndarray]:
    """Texts without nulls, each after its length in four bytes; and the (texts + 1,) byte at which each begins."""
    values = texts.cast(pa.large_binary())
    lengths = pc.binary_length(values).to_numpy(zero_copy_only=False).astype("<u4")
    heads = pa.FixedSizeBinaryArray.from_buffers(pa.binary(4), len(lengths), [None, pa.py_buffer(lengths)])
    joined = pc.binary_join_element_wise(heads.cast(pa.large_binary()), values, pa.scalar(b"", pa.large_binary()))
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]) + 4 * np.arange(len(lengths) + 1)
    content = joined.buffers()[2]
    return (content.to_pybytes() if content else b""), starts
