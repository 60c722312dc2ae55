"""Parquet files as one table: what their footers say, and a lazy scan of those that are alike."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from polars.io.plugins import register_io_source

from feature_repo.stores.as_of import Integers
from feature_repo.stores.column_types import polars_type, readable

GROUP_ROWS = 1 << 31
"""Rows of the files that are scanned together: polars numbers rows in 32 bits."""

ROWS_AT_ONCE = 262_144
"""Rows of a table that are in memory at once, in each of its threads."""

_UNKNOWN = np.iinfo(np.int64).max

_NULL_IN_PATHS = "__HIVE_DEFAULT_PARTITION__"

State = tuple[int, int, int]
"""Inode, time of the last change and size: what a file is recognized by."""


@dataclass(frozen=True)
class Columns:
    """The columns of a file.

    Attributes:
        types: name → Arrow's type.
        repeated: names that several columns have.
        is_readable: whether polars reads every one of them; if not, none of the file can be read by it.
    """

    types: Mapping[str, pa.DataType]
    repeated: tuple[str, ...]
    is_readable: bool


@dataclass(frozen=True)
class Footer:
    """What the end of a Parquet file says.

    Attributes:
        columns: of the file.
        rows: their number.
        latest: time column → its newest value in microseconds, rounded down; of those of which the file says so.
    """

    columns: Columns
    rows: int
    latest: Mapping[str, int]


def state(file: str) -> State | None:
    """Of a file now; None if it is not there."""
    try:
        found = Path(file).stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def footer(file: str, at: State | None) -> Footer:
    """Of a file in some state; read once for each.

    Raises:
        FileNotFoundError: the file is gone.
        OSError, pa.ArrowException: it is no Parquet file.
    """
    if at is None:
        raise FileNotFoundError(f"no such file: {file}")
    return _footer(file, at)


@lru_cache(maxsize=65_536)
def _footer(file: str, at: State) -> Footer:
    found = pq.read_metadata(file)
    columns = _columns(found.schema.to_arrow_schema().remove_metadata())
    return Footer(columns, found.num_rows, _latest(found, columns.types))


def _latest(found: pq.FileMetaData, types: Mapping[str, pa.DataType]) -> dict[str, int]:
    places = [place for place in range(found.num_columns) if found.schema.column(place).path in types]
    times = [place for place in places if pa.types.is_timestamp(types[found.schema.column(place).path])]
    latest: dict[str, int] = {}
    for place in times:
        name = found.schema.column(place).path
        chunks = [found.row_group(number).column(place) for number in range(found.num_row_groups)]
        if not all(chunk.is_stats_set and chunk.physical_type == "INT64" for chunk in chunks):
            continue
        newest = [chunk.statistics.max_raw for chunk in chunks if chunk.statistics.has_min_max]
        if len(newest) == len(chunks) > 0:  # a column that is null throughout a row group has none
            unit = re.search(r"timeUnit=(\w+)", str(found.schema.column(place).logical_type))
            if unit:
                scale, divisor = _IN_MICROSECONDS[unit[1]]
                latest[name] = max(newest) * scale // divisor
    return latest


_IN_MICROSECONDS = {"milliseconds": (1000, 1), "microseconds": (1, 1), "nanoseconds": (1, 1000)}


@lru_cache(maxsize=4096)
def _columns(schema: pa.Schema) -> Columns:
    repeated = tuple(sorted({name for name in schema.names if schema.names.count(name) > 1}))
    is_readable = not repeated and all(polars_type(item.type) is not None for item in schema)
    return Columns({item.name: item.type for item in schema}, repeated, is_readable)


def in_path(file: str, column: str) -> str | None:
    """The text of a column that stands in the path of a file, ``column=text/``; None if that is null, or not there."""
    value = _part(file, column)
    return None if value in (None, _NULL_IN_PATHS) else unquote(str(value))


def is_in_path(file: str, column: str) -> bool:
    """Whether a column stands in the path of a file; it may be null there."""
    return _part(file, column) is not None


def _part(file: str, column: str) -> str | None:
    for part in reversed(Path(file).parts[:-1]):
        name, sign, value = part.partition("=")
        if sign and unquote(name) == column:
            return value
    return None


@dataclass(frozen=True)
class Group:
    """Files with the same types of the columns that matter, read by one scan.

    Attributes:
        files: in their order in the table.
        types: column → Arrow's type, of the columns that matter and are there.
        starts: (files,) number of each file's first row in the table.
        ends: (files,) rows of the group up to each file's end.
        is_readable: whether polars can read the files.
        paths: column → its text in the path of each file.
        latest: time column → (files,) its newest value in each, in microseconds; the largest integer where that is
            unknown.
    """

    files: tuple[str, ...]
    types: Mapping[str, pa.DataType]
    starts: Integers
    ends: Integers
    is_readable: bool
    paths: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    latest: Mapping[str, Integers] = field(default_factory=dict)

    def numbers(self, rows: Integers) -> Integers:
        """(rows,) numbers in the table of rows of the group."""
        file = np.searchsorted(self.ends, rows, side="right")
        return rows - np.append(0, self.ends)[file] + self.starts[file]

    def locate(self, numbers: Integers) -> tuple[Integers, Integers]:
        """Which rows of the table are in this group.

        Args:
            numbers: (rows,) ascending.

        Returns:
            (found,) places in ``numbers``, and the rows in the group, both ascending.
        """
        sizes = np.diff(self.ends, prepend=0)
        first, last = np.searchsorted(numbers, self.starts), np.searchsorted(numbers, self.starts + sizes)
        spans = [
            (file, np.arange(*span)) for file, span in enumerate(zip(first, last, strict=True)) if span[0] < span[1]
        ]
        if not spans:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        rows = [numbers[places] - self.starts[file] + self.ends[file] - sizes[file] for file, places in spans]
        return np.concatenate([places for _, places in spans]), np.concatenate(rows)

    def part(self, mask: NDArray[np.bool_]) -> "Group":
        """Some of the files alone; their rows have the same numbers in the table.

        Args:
            mask: (files,) which.
        """
        if mask.all():
            return self
        sizes, places = np.diff(self.ends, prepend=0)[mask], np.flatnonzero(mask).tolist()
        return replace(
            self,
            files=tuple(self.files[place] for place in places),
            starts=self.starts[mask],
            ends=np.cumsum(sizes),
            paths={name: [texts[place] for place in places] for name, texts in self.paths.items()},
            latest={name: times[mask] for name, times in self.latest.items()},
        )

    def polars_types(self) -> dict[str, pl.DataType]:
        """Of the columns as ``scan`` gives them; those in the paths are texts."""
        types = {name: polars_type(readable(dtype)) or pl.Null() for name, dtype in self.types.items()}
        return {**types, **dict.fromkeys(self.paths, pl.String())}

    def scan(self, names: Sequence[str], row: str) -> pl.LazyFrame:
        """Some columns of all rows, and the number of each row in the group.

        Args:
            names: of columns; those that the files lack are left out.
            row: name for the numbers.
        """
        types = self.polars_types()
        there = {name: types[name] for name in names if name in self.types}
        if self.is_readable and self._is_as_expected(there):
            scan = pl.scan_parquet(
                list(self.files),
                glob=False,
                row_index_name=row,
                hive_partitioning=False,
                schema=there,
                extra_columns="ignore",
            )
        else:
            scan = register_io_source(_ArrowRows(self.files, there, row), schema={row: pl.UInt32(), **there})
        paths = [self._from_path(name, row) for name in names if name in self.paths]
        return scan.with_columns(paths) if paths else scan

    def _is_as_expected(self, types: Mapping[str, pl.DataType]) -> bool:
        """Whether polars says so, too: it knows some types (dates in milliseconds) by what Arrow does not tell."""
        found = pl.scan_parquet(self.files[0], glob=False).collect_schema()
        return all(found[name] == dtype for name, dtype in types.items())

    def _from_path(self, name: str, row: str) -> pl.Expr:
        texts = pl.Series(self.paths[name], dtype=pl.String)

        def of_rows(rows: pl.Series) -> pl.Series:
            return texts.gather(np.searchsorted(self.ends, rows.to_numpy(), side="right"))

        return pl.col(row).map_batches(of_rows, return_dtype=pl.String(), is_elementwise=True).alias(name)


class _ArrowRows:
    """Batches of files that polars cannot read, for its scans: Arrow reads the columns that are wanted."""

    def __init__(self, files: Sequence[str], types: Mapping[str, pl.DataType], row: str) -> None:
        self._files, self._types, self._row = files, types, row

    def __call__(
        self, with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = [name for name in self._types if with_columns is None or name in with_columns]
        number = 0
        for file in self._files:
            with pq.ParquetFile(file) as source:
                for batch in source.iter_batches(min(batch_size or ROWS_AT_ONCE, ROWS_AT_ONCE), columns=wanted):
                    frame = self._frame(batch, wanted, number)
                    number += len(batch)
                    yield frame if predicate is None else frame.filter(predicate)

    def _frame(self, batch: pa.RecordBatch, wanted: Sequence[str], number: int) -> pl.DataFrame:
        rows = pl.int_range(number, number + len(batch), dtype=pl.UInt32, eager=True).alias(self._row)
        columns = [series(batch.column(name), name).cast(self._types[name]) for name in wanted]
        return pl.DataFrame([rows, *columns])


def series(values: Any, name: str) -> pl.Series:
    """An array of Arrow's as polars has it, whatever its type; see ``readable``."""
    wanted = readable(values.type)
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    return pl.Series(name, values if values.type == wanted else values.cast(wanted))


def grouped(
    files: Sequence[str], states: Sequence[State | None], columns: Sequence[str], in_paths: Sequence[str]
) -> list[Group]:
    """Files as few scans: those together whose columns have the same types, in the order in which they come first.

    Args:
        files: in the order that numbers their rows.
        states: of the files.
        columns: that matter.
        in_paths: those of them that stand in the paths where a file lacks them.
    """
    kinds: dict[tuple, list[int]] = {}
    open_kinds: dict[tuple, tuple[int, int]] = {}
    footers = [footer(file, at) for file, at in zip(files, states, strict=True)]
    rows = np.array([one.rows for one in footers], dtype=np.int64)
    for place, one in enumerate(footers):
        types = tuple((name, one.columns.types.get(name)) for name in columns)
        kind = (types, one.columns.is_readable)
        part, size = open_kinds.get(kind, (0, 0))
        if size and size + one.rows > GROUP_ROWS:
            part, size = part + 1, 0
        open_kinds[kind] = part, size + one.rows
        kinds.setdefault((*kind, part), []).append(place)
    starts = np.cumsum(rows) - rows
    groups = []
    for (types, is_readable, _), places in kinds.items():
        those = tuple(files[place] for place in places)
        absent = [name for name, dtype in types if dtype is None and name in in_paths]
        groups.append(
            Group(
                files=those,
                types={name: dtype for name, dtype in types if dtype is not None},
                starts=starts[places],
                ends=np.cumsum(rows[places]),
                is_readable=is_readable,
                paths={name: [in_path(file, name) for file in those] for name in absent},
                latest={
                    name: np.array([footers[place].latest.get(name, _UNKNOWN) for place in places])
                    for name, dtype in types
                    if dtype is not None and pa.types.is_timestamp(dtype)
                },
            )
        )
    return groups
