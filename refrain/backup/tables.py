"""Tables of a backup: the rows of many files, cut into one piece for all rows that name the same people.

A piece is MessagePack: the values of each column, then of which file each row is, and which of its rows. So a person's
rows take one piece in all files of a part, and restored files have their rows in their old order. Batches of Arrow are
no pieces: a slice of a column of texts may be serialized with the texts of other rows, which are other people's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from feature_repo.encryption.person_keys import Person
from refrain.backup.mentions import people_of
from transforms import parquet

FILE, ROW = "refrain:file", "refrain:row"
"""Columns that say where a row was; no table has them."""
MOST_ROWS = 250_000
"""Rows that are cut together, of as many files as have them: they are objects of Python for a moment."""
_REMEDY = "restore it from a backup"
_AS_TEXT = (pl.Categorical, pl.Enum, pl.Decimal)
_PLACES = {FILE: pl.UInt32(), ROW: pl.UInt32()}


def parts(paths: Iterable[Path]) -> Iterator[dict[Path, pl.DataFrame]]:
    """Yields the rows of some Parquet files, those of files with the same columns together.

    Raises:
        StoreError: a file is damaged.
    """
    part: dict[Path, pl.DataFrame] = {}
    schema, rows = None, 0
    for path in paths:
        frame = parquet.read_whole(path, remedy=_REMEDY)
        if part and (frame.schema != schema or rows + frame.height > MOST_ROWS):
            yield part
            part, rows = {}, 0
        part[path], schema, rows = frame, frame.schema, rows + frame.height
    if part:
        yield part


def cut(
    part: Mapping[Path, pl.DataFrame], label: Callable[[pl.DataFrame], pl.Series]
) -> Iterator[tuple[list[Person], int, bytes]]:
    """Cuts the rows of files by the people whom they name.

    Args:
        part: file → rows.
        label: rows → (rows,) the people of each, as a label.

    Yields:
        For each piece the people, the number of rows and its content.
    """
    frames = [
        frame.with_columns(
            pl.repeat(number, frame.height, dtype=pl.UInt32, eager=True).alias(FILE),
            pl.int_range(frame.height, dtype=pl.UInt32, eager=True).alias(ROW),
        )
        for number, frame in enumerate(part.values())
    ]
    rows = pl.concat(frames)
    labels = label(rows.drop(FILE, ROW))
    order = labels.arg_sort()
    runs = labels.gather(order).rle().struct.unnest()
    columns = [_plain(column).to_list() for column in rows[order]]
    encode, start = msgspec.msgpack.Encoder().encode, 0
    for length, text in zip(runs["len"].to_list(), runs["value"].to_list(), strict=True):
        yield people_of(text), length, encode([column[start : start + length] for column in columns])
        start += length


def columns_of(rows: pl.DataFrame) -> bytes:
    """The columns of a table and their types, as Arrow serializes them."""
    return bytes(rows.clear().to_arrow().schema.serialize())


def join(columns: bytes, contents: Sequence[bytes], count: int) -> list[pl.DataFrame]:
    """The rows of each file, from the pieces that are left.

    Args:
        columns: result of ``columns_of``.
        contents: contents of pieces.
        count: number of files.
    """
    empty = pl.from_arrow(pa.ipc.read_schema(pa.py_buffer(columns)).empty_table())
    assert isinstance(empty, pl.DataFrame)
    schema = {**empty.schema, **_PLACES}
    decode = msgspec.msgpack.Decoder(list[list]).decode
    values: list[list] = [[] for _ in schema]
    for content in contents:
        for column, own in zip(values, decode(content), strict=True):
            column.extend(own)
    types = zip(schema.items(), values, strict=True)
    rows = pl.DataFrame([_column(name, own, dtype) for (name, dtype), own in types]).sort(FILE, ROW)
    ends = np.searchsorted(rows[FILE].to_numpy(), np.arange(count), side="right").tolist()
    own_rows = rows.drop(FILE, ROW)
    return [own_rows[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _plain(column: pl.Series) -> pl.Series:
    """A column as numbers, texts, bytes, and lists of these: times as their numbers."""
    return column.cast(pl.String) if column.dtype in _AS_TEXT else column.to_physical()


def _column(name: str, values: list, dtype: pl.DataType) -> pl.Series:
    if dtype in _AS_TEXT:
        return pl.Series(name, values, dtype=pl.String()).cast(dtype)
    physical = pl.Series(name, [], dtype=dtype).to_physical().dtype
    return pl.Series(name, values, dtype=physical, strict=True).cast(dtype)
