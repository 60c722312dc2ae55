"""Parquet: the distinct values of each column with texts, lists of them included, and whole numbers."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.encryption import parquet_files
from feature_repo.encryption.modular import MAGIC
from refrain.person.contents.reader import SEPARATOR, Part, Reader, numbers_part, values_part


def read(content: bytes, path: Path | None) -> Iterator[Part]:
    """Yields the values of one column after another, row group by row group; of an encrypted file with its key."""
    file = parquet_files.open_content(pa.py_buffer(content), path)
    yield values_part("metadata", [value for pair in (file.metadata.metadata or {}).items() for value in pair])
    names = [field.name for field in file.schema_arrow if not _is_without_texts(field.type)]
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group, names, use_threads=False)
        for name, column in zip(rows.column_names, rows.columns, strict=True):
            yield from parts_of(name, column)


def parts_of(name: str, column: pa.ChunkedArray) -> Iterator[Part]:
    """Yields the distinct texts, bytes and whole numbers of a column, of what is nested in it one after another."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        yield from parts_of(name, column.cast(kind.value_type))
    elif pa.types.is_struct(kind):
        for number in range(kind.num_fields):
            yield from parts_of(name, pc.struct_field(column, [number]))
    elif pa.types.is_map(kind):
        for chunk in column.chunks:
            yield from parts_of(name, pa.chunked_array([chunk.keys]))
            yield from parts_of(name, pa.chunked_array([chunk.items]))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from parts_of(name, pc.list_flatten(column))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        yield _values(name, column.cast(pa.large_string()))
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        yield _values(name, column.cast(pa.large_binary()))
    elif pa.types.is_integer(kind):
        yield numbers_part(f"column {name}", partial(_numbers, column), key=name)


def _is_without_texts(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_temporal(kind)


def _values(name: str, column: pa.ChunkedArray) -> Part:
    """The part of the distinct values of a column; Arrow joins them, without an object for each."""
    values = pc.unique(column).drop_null()
    whole = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
    joined = pc.binary_join(whole, pa.scalar(SEPARATOR, values.type))[0].as_buffer()
    return Part(f"column {name}", b"".join((SEPARATOR, joined, SEPARATOR)), is_delimited=True, key=name)


def _numbers(column: pa.ChunkedArray) -> list[str]:
    return pl.Series(pc.unique(column)).drop_nulls().cast(pl.String).to_list()


def _recognizes(content: bytes) -> bool:
    return content[:4] in MAGIC and content[-4:] == content[:4]


PARQUET = Reader("Parquet", _recognizes, read, is_complete=True)
