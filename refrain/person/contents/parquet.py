"""Parquet: the distinct values of each column with texts, lists of them included, and whole numbers."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from refrain.person.contents.reader import Part, Reader, values_part


def read(content: bytes, _path: Path | None) -> Iterator[Part]:
    """Yields the values of one column after another, row group by row group."""
    file = pq.ParquetFile(pa.py_buffer(content))
    yield values_part("metadata", [value for pair in (file.metadata.metadata or {}).items() for value in pair])
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, use_threads=False)
        for name, column in zip(rows.column_names, rows.columns, strict=True):
            for inner in texts_of(column):
                yield values_part(f"column {name}", inner, key=name)


def texts_of(column: pa.ChunkedArray) -> Iterator[list[str | bytes]]:
    """Yields the distinct texts, bytes and whole numbers of a column, of what is nested in it one after another."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from texts_of(column.cast(kind.value_type))
    elif pa.types.is_struct(kind):
        for number in range(kind.num_fields):
            yield from texts_of(pc.struct_field(column, [number]))
    elif pa.types.is_map(kind):
        for chunk in column.chunks:
            yield from texts_of(pa.chunked_array([chunk.keys]))
            yield from texts_of(pa.chunked_array([chunk.items]))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from texts_of(pc.list_flatten(column))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        yield pc.unique(column.cast(pa.large_string())).drop_null().to_pylist()
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        yield pc.unique(column.cast(pa.large_binary())).drop_null().to_pylist()
    elif pa.types.is_integer(kind):
        yield pl.Series(pc.unique(column)).drop_nulls().cast(pl.String).to_list()


PARQUET = Reader("Parquet", lambda content: content[:4] == b"PAR1" and content[-4:] == b"PAR1", read, is_complete=True)
