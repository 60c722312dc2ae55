"""Parquet files as one table: their footers, and a lazy scan for each group of files with equal types."""

import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate, chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from polars.io.plugins import register_io_source

from feature_repo.encryption import parquet_files
from feature_repo.stores.as_of import Integers
from feature_repo.stores.column_types import polars_type, readable

GROUP_ROWS = 1 << 31
"""Maximum rows of files scanned together: polars numbers rows in 32 bits."""

ROWS_AT_ONCE = 262_144
"""Rows of a batch: the part of a table in memory at once, per thread."""

_UNKNOWN = np.iinfo(np.int64).max

_NULL_IN_PATHS = "__HIVE_DEFAULT_PARTITION__"

State = tuple[int, int, int]
"""Inode, modification time and size: identifies the content of a file."""


@dataclass(frozen=True)
class Columns:
    """The columns of a Parquet file.

    Attributes:
        types: column name → Arrow type.
        repeated: names that occur more than once.
        is_readable: whether polars can read every column. If not, polars cannot read the file at all.
        times: column of instants → its number among the leaves of the file's schema, and its unit.
    """

    types: Mapping[str, pa.DataType]
    repeated: tuple[str, ...]
    is_readable: bool
    times: Mapping[str, tuple[int, str]]


@dataclass(frozen=True)
class Footer:
    """Metadata from the footer of a Parquet file.

    Attributes:
        columns: the columns of the file.
        rows: number of rows.
        latest: time column → its newest value in microseconds, rounded down; only for columns with statistics.
    """

    columns: Columns
    rows: int
    latest: Mapping[str, int]


def state(file: str) -> State | None:
    """Returns the current state of a file; None if it does not exist."""
    try:
        stat = os.stat(file)  # noqa: PTH116 - a Path for each of thousands of files takes longer than the call
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def footer(file: str, file_state: State | None) -> Footer:
    """Reads the footer of a file; cached by path and state.

    Raises:
        FileNotFoundError: the file does not exist.
        OSError, pa.ArrowException: the file is not a Parquet file.
    """
    if file_state is None:
        raise FileNotFoundError(f"no such file: {file}")
    return _footer(file, file_state)


@lru_cache(maxsize=65_536)
def _footer(file: str, file_state: State) -> Footer:
    metadata = parquet_files.metadata(file)
    columns = _columns(metadata.schema.to_arrow_schema().remove_metadata())
    return Footer(columns, metadata.num_rows, _latest(metadata, columns))


def _latest(metadata: pq.FileMetaData, columns: Columns) -> dict[str, int]:
    latest: dict[str, int] = {}
    row_groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    for name, (leaf, unit) in columns.times.items():
        chunks = [row_group.column(leaf) for row_group in row_groups]
        if not all(chunk.is_stats_set and chunk.physical_type == "INT64" for chunk in chunks):
            continue
        newest = [statistics.max_raw for chunk in chunks if (statistics := chunk.statistics).has_min_max]
        if len(newest) == len(chunks) > 0:  # a column that is entirely null in a row group has none
            scale, divisor = _IN_MICROSECONDS[unit]
            latest[name] = max(newest) * scale // divisor
    return latest


_IN_MICROSECONDS = {"s": (1000, 1), "ms": (1000, 1), "us": (1, 1), "ns": (1, 1000)}
"""Unit of an Arrow type → factor and divisor. Parquet has no seconds: such a column holds milliseconds."""


@lru_cache(maxsize=4096)
def _columns(schema: pa.Schema) -> Columns:
    repeated = tuple(sorted({name for name in schema.names if schema.names.count(name) > 1}))
    is_readable = not repeated and all(polars_type(item.type) is not None for item in schema)
    leaves = list(accumulate((_count_leaves(item.type) for item in schema), initial=0))
    times = {
        item.name: (leaf, item.type.unit)
        for item, leaf in zip(schema, leaves, strict=False)
        if pa.types.is_timestamp(item.type)
    }
    return Columns({item.name: item.type for item in schema}, repeated, is_readable, times)


def _count_leaves(dtype: pa.DataType) -> int:
    """Counts the columns that a type has in a Parquet file: one for each innermost type."""
    return sum(_count_leaves(dtype.field(number).type) for number in range(dtype.num_fields)) or 1


def in_path(file: str, column: str) -> str | None:
    """Returns the text of a column encoded in a file's path (``column=text/``); None if it is null or absent."""
    value = _path_value(file, column)
    return None if value in (None, _NULL_IN_PATHS) else unquote(str(value))


def is_in_path(file: str, column: str) -> bool:
    """Whether a column is encoded in the path of a file, possibly as null."""
    return _path_value(file, column) is not None


def _path_value(file: str, column: str) -> str | None:
    for part in reversed(Path(file).parts[:-1]):
        name, sign, value = part.partition("=")
        if sign and unquote(name) == column:
            return value
    return None


@dataclass(frozen=True)
class Group:
    """Files whose relevant columns have the same types, read by one scan.

    Attributes:
        files: paths, in their order in the table.
        types: column → Arrow type, for the relevant columns that the files have.
        starts: (files,) number of each file's first row in the table.
        ends: (files,) cumulative rows of the group up to each file's end.
        is_readable: whether polars can read the files.
        paths: column → its text in the path of each file.
        latest: time column → (files,) its newest value in microseconds; the largest integer where unknown.
    """

    files: tuple[str, ...]
    types: Mapping[str, pa.DataType]
    starts: Integers
    ends: Integers
    is_readable: bool
    paths: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    latest: Mapping[str, Integers] = field(default_factory=dict)

    def numbers(self, rows: Integers) -> Integers:
        """Converts row numbers of the group to row numbers of the table, both (rows,)."""
        file = np.searchsorted(self.ends, rows, side="right")
        return rows - np.append(0, self.ends)[file] + self.starts[file]

    def locate(self, numbers: Integers) -> tuple[Integers, Integers]:
        """Finds the rows of the table that are in this group.

        Args:
            numbers: (rows,) row numbers of the table, ascending.

        Returns:
            Positions in ``numbers`` and row numbers of the group, both (matches,) and ascending.
        """
        sizes = np.diff(self.ends, prepend=0)
        firsts, lasts = np.searchsorted(numbers, self.starts), np.searchsorted(numbers, self.starts + sizes)
        spans = [
            (file, np.arange(*span)) for file, span in enumerate(zip(firsts, lasts, strict=True)) if span[0] < span[1]
        ]
        if not spans:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        rows = [numbers[positions] - self.starts[file] + self.ends[file] - sizes[file] for file, positions in spans]
        return np.concatenate([positions for _, positions in spans]), np.concatenate(rows)

    def part(self, mask: NDArray[np.bool_]) -> "Group":
        """Selects some of the files; row numbers of the table do not change.

        Args:
            mask: (files,) true for the files to keep.
        """
        if mask.all():
            return self
        sizes, indices = np.diff(self.ends, prepend=0)[mask], np.flatnonzero(mask).tolist()
        return replace(
            self,
            files=tuple(self.files[index] for index in indices),
            starts=self.starts[mask],
            ends=np.cumsum(sizes),
            paths={name: [texts[index] for index in indices] for name, texts in self.paths.items()},
            latest={name: times[mask] for name, times in self.latest.items()},
        )

    def polars_types(self) -> dict[str, pl.DataType]:
        """Returns the polars types of the columns that ``scan`` yields; columns from paths are texts."""
        types = {name: polars_type(readable(dtype)) or pl.Null() for name, dtype in self.types.items()}
        return {**types, **dict.fromkeys(self.paths, pl.String())}

    def scan(self, names: Sequence[str], row: str) -> pl.LazyFrame:
        """Scans columns of all rows lazily, with the number of each row in the group.

        Args:
            names: column names; columns that the files lack are left out.
            row: name of the row-number column.
        """
        types = self.polars_types()
        present_types = {name: types[name] for name in names if name in self.types}
        if self.is_readable and self._has_types(present_types):
            scan = parquet_files.scan(
                list(self.files),
                row_index_name=row,
                hive_partitioning=False,
                schema=present_types,
                extra_columns="ignore",
            )
        else:
            scan = register_io_source(
                _ArrowSource(self.files, present_types, row), schema={row: pl.UInt32(), **present_types}
            )
        paths = [self._from_path(name, row) for name in names if name in self.paths]
        return scan.with_columns(paths) if paths else scan

    def _has_types(self, types: Mapping[str, pl.DataType]) -> bool:
        """Whether polars agrees on the types. It infers some (dates in milliseconds) from metadata that Arrow hides."""
        polars_schema = parquet_files.scan(self.files[0]).collect_schema()
        return all(polars_schema[name] == dtype for name, dtype in types.items())

    def _from_path(self, name: str, row: str) -> pl.Expr:
        texts = pl.Series(self.paths[name], dtype=pl.String)

        def of_rows(rows: pl.Series) -> pl.Series:
            return texts.gather(np.searchsorted(self.ends, rows.to_numpy(), side="right"))

        return pl.col(row).map_batches(of_rows, return_dtype=pl.String(), is_elementwise=True).alias(name)


class _ArrowSource:
    """Polars IO source for files that polars cannot read: Arrow reads the requested columns."""

    def __init__(self, files: Sequence[str], types: Mapping[str, pl.DataType], row: str) -> None:
        self._files, self._types, self._row = files, types, row

    def __call__(
        self, with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        columns = [name for name in self._types if with_columns is None or name in with_columns]
        first_row = 0
        for file in self._files:
            with parquet_files.open_file(file) as source:
                for batch in source.iter_batches(min(batch_size or ROWS_AT_ONCE, ROWS_AT_ONCE), columns=columns):
                    frame = self._frame(batch, columns, first_row)
                    first_row += len(batch)
                    yield frame if predicate is None else frame.filter(predicate)

    def _frame(self, batch: pa.RecordBatch, names: Sequence[str], first_row: int) -> pl.DataFrame:
        rows = pl.int_range(first_row, first_row + len(batch), dtype=pl.UInt32, eager=True).alias(self._row)
        columns = [series(batch.column(name), name).cast(self._types[name]) for name in names]
        return pl.DataFrame([rows, *columns])


def series(values: Any, name: str) -> pl.Series:
    """Converts an Arrow array of any type to a polars series; see ``readable``."""
    target_type = readable(values.type)
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    return pl.Series(name, values if values.type == target_type else values.cast(target_type))


def write_tables(tables: Iterable[pa.Table], target: Path, compression_level: int | None = None) -> None:
    """Writes tables of one schema to one file, which appears under its name when it is complete.

    Args:
        tables: at least one table; each is written when it is produced, so that only one is in memory.
        target: path of the file; an existing file is replaced.
        compression_level: of zstd; Arrow's own if None.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    remaining = iter(tables)
    try:
        first = next(remaining)
        options = {"compression": "zstd", "compression_level": compression_level}
        with parquet_files.writer(partial, first.schema, final=target, **options) as writer:
            for table in chain([first], remaining):
                writer.write_table(table)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def grouped(
    files: Sequence[str], states: Sequence[State | None], columns: Sequence[str], in_paths: Sequence[str]
) -> list[Group]:
    """Groups files by the types of their columns, in order of first occurrence, so that few scans read them.

    Args:
        files: paths, in the order in which rows are numbered.
        states: (files,) states of the files.
        columns: names of the relevant columns.
        in_paths: those of them that are encoded in the paths of files that lack them.
    """
    indices_by_kind: dict[tuple, list[int]] = {}
    parts_by_kind: dict[tuple, tuple[int, int]] = {}
    footers = [footer(file, file_state) for file, file_state in zip(files, states, strict=True)]
    rows = np.array([file_footer.rows for file_footer in footers], dtype=np.int64)
    for index, file_footer in enumerate(footers):
        types = tuple((name, file_footer.columns.types.get(name)) for name in columns)
        kind = (types, file_footer.columns.is_readable)
        part, part_rows = parts_by_kind.get(kind, (0, 0))
        if part_rows and part_rows + file_footer.rows > GROUP_ROWS:
            part, part_rows = part + 1, 0
        parts_by_kind[kind] = part, part_rows + file_footer.rows
        indices_by_kind.setdefault((*kind, part), []).append(index)
    starts = np.cumsum(rows) - rows
    groups = []
    for (types, is_readable, _), indices in indices_by_kind.items():
        group_files = tuple(files[index] for index in indices)
        absent = [name for name, dtype in types if dtype is None and name in in_paths]
        groups.append(
            Group(
                files=group_files,
                types={name: dtype for name, dtype in types if dtype is not None},
                starts=starts[indices],
                ends=np.cumsum(rows[indices]),
                is_readable=is_readable,
                paths={name: [in_path(file, name) for file in group_files] for name in absent},
                latest={
                    name: np.array([footers[index].latest.get(name, _UNKNOWN) for index in indices])
                    for name, dtype in types
                    if dtype is not None and pa.types.is_timestamp(dtype)
                },
            )
        )
    return groups
