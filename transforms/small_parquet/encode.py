"""Files from slices of a frame."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

import numpy as np
import polars as pl

from transforms.small_parquet.column import pages
from transforms.small_parquet.thrift import BYTES, I64, LIST, STRUCT, fields_of, integer, sequence, sized, struct
from transforms.small_parquet.types import kind_of, schema

MOST_ROWS = 500
"""Rows up to which a file is small; with more, what a library saves in space counts for more than time."""

MOST_ELEMENTS = 5_000
"""Elements of a column of lists up to which a file is small."""

_MAGIC, _CREATED_BY = b"PAR1", b"Refrain"


def small_files(rows: pl.DataFrame, heights: Sequence[int]) -> list[bool]:
    """(files,) whether ``encode`` is meant for a file: few rows and elements, and columns of types that it knows.

    Args:
        rows: the rows of all files, one file after another.
        heights: (files,) number of rows of each file.
    """
    if any(kind_of(dtype) is None for dtype in rows.dtypes):
        return [False] * len(heights)
    is_small = np.asarray(heights) <= MOST_ROWS
    edges = [*accumulate(heights, initial=0)]
    for series in rows.get_columns():
        if isinstance(series.dtype, pl.List):
            elements = np.concatenate([[0], np.cumsum(series.list.len().fill_null(0).to_numpy(), dtype=np.int64)])
            is_small &= np.diff(elements[edges]) <= MOST_ELEMENTS
    return [bool(value) for value in is_small]


def encode(
    rows: pl.DataFrame, heights: Sequence[int], metadata: Sequence[Mapping[str, str]] | None = None
) -> Iterator[bytes]:
    """Yields the content of one file for each slice. Equal rows give equal bytes, whatever the other slices are.

    Args:
        rows: the rows of all files, one file after another, with columns of the types that ``small_files`` permits.
        heights: (files,) number of rows of each file.
        metadata: (files,) key-value metadata of each file.

    >>> from io import BytesIO
    >>> files = list(encode(pl.DataFrame({"user_id": ["ann", "bob", None], "n": [1, 2, 3]}), [2, 1]))
    >>> [pl.read_parquet(BytesIO(file)).rows() for file in files]
    [[('ann', 1), ('bob', 2)], [(None, 3)]]
    """
    columns = [pages(series, heights) for series in rows.get_columns()]
    head = schema(rows)
    for number, height in enumerate(heights):
        parts, chunks, position, unpacked_total = [_MAGIC], [], len(_MAGIC), 0
        for contents, unpacked_sizes, about in columns if height else ():
            content, place = contents[number], integer(position)
            # 2: file_offset, 3: meta_data, which ends with 9: data_page_offset
            chunks.append(b"".join((b"\x26", place, about[number], place, b"\x00\x00")))
            parts.append(content)
            position += len(content)
            unpacked_total += unpacked_sizes[number]
        groups = [_row_group(chunks, height, unpacked_total)] if height else []
        footer = head + _rest(height, groups, metadata[number] if metadata else {})
        yield b"".join((*parts, footer, len(footer).to_bytes(4, "little"), _MAGIC))


def _row_group(chunks: list[bytes], height: int, unpacked_size: int) -> bytes:
    return struct((1, LIST, sequence(STRUCT, chunks)), (2, I64, integer(unpacked_size)), (3, I64, integer(height)))


def _rest(height: int, groups: list[bytes], metadata: Mapping[str, str]) -> bytes:
    """The metadata of a file after its schema."""
    pairs = [
        struct((1, BYTES, sized(key.encode())), (2, BYTES, sized(value.encode()))) for key, value in metadata.items()
    ]
    keys = [(5, LIST, sequence(STRUCT, pairs))] if pairs else []
    fields = ((3, I64, integer(height)), (4, LIST, sequence(STRUCT, groups)), *keys, (6, BYTES, sized(_CREATED_BY)))
    return fields_of(*fields, after=2) + b"\x00"
