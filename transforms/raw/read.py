"""Readers of raw tables for the later stages: the files of a table, and its rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
import polars as pl

from feature_repo.contract import contract_of
from feature_repo.days import days_in
from feature_repo.encryption import parquet_files
from feature_repo.errors import StoreError
from feature_repo.home import Home
from transforms import parquet
from transforms.raw.by_day import DAY
from transforms.raw.declared import raw_tables
from transforms.raw.table import RawTable

REMEDY = "refrain import …  (every source of that day)"
"""The command that restores a raw file."""

_WIDTHS: dict[pl.DataType, int] = {pl.Int8(): 7, pl.Int16(): 15, pl.Int32(): 31, pl.Int64(): 63} | {
    pl.UInt8(): 8,
    pl.UInt16(): 16,
    pl.UInt32(): 32,
    pl.UInt64(): 64,
}
"""Integer type → bits of its largest number."""

_EXACT: dict[pl.DataType, int] = {pl.Float32(): 24, pl.Float64(): 53}
"""Float type → bits of the integers that it holds exactly."""


def files(home: Home, name: str) -> list[Path]:
    """The files of a raw table: one per day, or a single one if it changes slowly. Other files are ignored."""
    folder = home.raw(name)
    places = [folder] if raw_tables(home)[name].changes_slowly else [Path(day) for day in days_in(folder).values()]
    return [path for place in places if (path := place / parquet.PART).is_file()]


def scan(home: Home, name: str) -> pl.LazyFrame:
    """Scan one raw table lazily; a table that was never written has no rows.

    Raises:
        StoreError: one of its files is damaged or lacks a column of the table; the message names the file.
    """
    return scan_files(raw_tables(home)[name], files(home, name))


def scan_files(table: RawTable, paths: Sequence[Path]) -> pl.LazyFrame:
    """Scan files of a raw table lazily, with its columns and types.

    A file of another tool may have columns of types that convert to those of the table without loss: narrower
    numbers, times of another unit or zone. An optional column is null where a file lacks it. Further columns are
    ignored.

    Args:
        table: the raw table whose columns are read.
        paths: files of the table; without files there are no rows.

    Raises:
        StoreError: a file is damaged, lacks a required column, or has a column of a type that would lose values; the
            message names the file.
    """
    columns = table.columns
    scans = []
    for types, group in groupby(paths, lambda path: _other_types(table, path)):
        if types is None:
            options = {"schema": columns, "missing_columns": "insert", "extra_columns": "ignore"}
            scans.append(parquet_files.scan(list(group), hive_partitioning=False, **options))  # type: ignore[arg-type]
            continue
        first, *others = group
        expressions = [_column(table, name, dict(types).get(name), first) for name in columns]
        scans.append(parquet_files.scan([first, *others], hive_partitioning=False).select(expressions))
    return pl.concat(scans) if len(scans) > 1 else scans[0] if scans else pl.LazyFrame(schema=columns)


def check_columns(table: RawTable, path: Path) -> None:
    """Check that a file can be read as rows of a raw table.

    Raises:
        StoreError: as ``scan_files``.
    """
    if _other_types(table, path) is not None:
        scan_files(table, [path])


def read_days(table: RawTable, paths: Mapping[date, Path], columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read the rows of many days by one scan, in the order of ``paths``.

    Args:
        table: a raw table of events.
        paths: day → its file.
        columns: columns of the table to read; all if None.

    Returns:
        The columns, and ``DAY``.

    Raises:
        StoreError: as ``scan_files``.
    """
    names = list(table.columns if columns is None else columns)
    empty = pl.DataFrame(schema={**{name: table.columns[name] for name in names}, DAY: pl.Date()})
    if not paths:
        return empty
    try:
        scanned = parquet_files.scan(
            list(paths.values()), schema=table.columns, hive_partitioning=False, include_file_paths=DAY
        )
        rows = (scanned if columns is None else scanned.select(*names, DAY)).collect()
    except parquet.UNREADABLE:  # of another tool, of before a column existed, or damaged
        return pl.concat([empty, *(_read_day(table, day, path).select(*names, DAY) for day, path in paths.items())])
    days = {str(path): day for day, path in paths.items()}
    runs = rows[DAY].rle().struct.unnest()
    numbers = np.repeat(np.arange(runs.height), runs["len"].to_numpy())
    return rows.with_columns(pl.Series(DAY, [days[path] for path in runs["value"]], pl.Date).gather(numbers))


def _read_day(table: RawTable, day: date, path: Path) -> pl.DataFrame:
    try:
        return scan_files(table, [path]).with_columns(pl.lit(day).alias(DAY)).collect()
    except parquet.UNREADABLE as error:
        raise parquet.damaged(path, error, REMEDY) from error


@contextmanager
def damage_named(home: Home) -> Iterator[None]:
    """Turn polars errors about unreadable pages inside the block into an error that names the damaged file.

    Args:
        home: the data folder.

    Raises:
        StoreError: a file of a raw table is damaged.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        for name in raw_tables(home):
            for path in files(home, name):
                parquet.read_whole(path, remedy=REMEDY)
        raise


def scan_events(home: Home, kind: str) -> pl.LazyFrame:
    """Scan the stored events of one kind lazily; there must be at least one.

    Args:
        home: the data folder.
        kind: name of the events, as their ``EventSource`` has it.

    Raises:
        StoreError: there are no such events, or a file is damaged.

    >>> home = Home.from_env()  # of the project in the working folder, or of REFRAIN_PROJECT  # doctest: +SKIP
    >>> scan_events(home, "orders").select("customer_id", "event_timestamp").collect()         # doctest: +SKIP
    """
    if kind not in raw_tables(home) or not files(home, kind):
        raise StoreError(
            expected=f"{kind} in {home.raw(kind)}",
            found="none" if kind in raw_tables(home) else f"no such events, only {sorted(raw_tables(home))}",
            next_command=contract_of(home).import_command(kind)
            if kind in raw_tables(home)
            else "name the project by REFRAIN_PROJECT, and take Home.from_env() for the data folder",
        )
    return scan(home, kind)


def plays(home: Home) -> pl.LazyFrame:
    """Scan the plays lazily; there must be at least one file.

    Raises:
        StoreError: there are no plays, or a file is damaged.
    """
    if not files(home, "plays"):
        raise StoreError(
            expected=f"plays in {home.raw('plays')}",
            found="none",
            next_command="refrain simulate  (or: refrain import FORMAT PATH)",
        )
    return scan(home, "plays")


def _other_types(table: RawTable, path: Path) -> tuple[tuple[str, pl.DataType], ...] | None:
    """Name and type of a file's columns; None if they equal those of the table."""
    stat = path.stat()
    types, columns = _types(path, stat.st_size, stat.st_mtime_ns), table.columns
    shared = [(name, dtype) for name, dtype in types if name in columns]
    is_same = all(columns[name] == dtype for name, dtype in shared) and table.required <= {n for n, _ in shared}
    return None if is_same else types


@lru_cache(maxsize=65_536)
def _types(path: Path, size: int, changed: int) -> tuple[tuple[str, pl.DataType], ...]:
    """Name and type of the columns of a file; cached by path, size and modification time."""
    try:
        schema = parquet_files.scan(path, hive_partitioning=False).collect_schema()
    except parquet.UNREADABLE as error:
        raise parquet.damaged(path, error, REMEDY) from error
    return tuple(schema.items())


def _column(table: RawTable, name: str, dtype: pl.DataType | None, path: Path) -> pl.Expr:
    target, is_required = table.columns[name], name in table.required
    if dtype is None and not is_required:
        return pl.lit(None, target).alias(name)
    if dtype is None or not _holds(target, dtype) or (dtype == pl.Null() and is_required):
        raise StoreError(
            expected=f"the column {name} of the raw table {table.name} as {target}, or in a type that it holds",
            found=f"{f'{name} as {dtype}' if dtype is not None else f'no column {name}'} in {path}",
            next_command=f"write the file with that column, or: {parquet.removal(path)} && {REMEDY}",
        )
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
        column = column.dt.replace_time_zone("UTC")
    return column.cast(target)


def _holds(target: pl.DataType, dtype: pl.DataType) -> bool:
    """Whether the target type holds every value of ``dtype``; times are rounded down to microseconds."""
    if dtype in (target, pl.Null()):
        return True
    if isinstance(target, pl.List) and isinstance(dtype, pl.List):
        return _holds(target.inner, dtype.inner)  # type: ignore[arg-type]
    if isinstance(target, pl.Datetime):
        return isinstance(dtype, pl.Datetime)
    if target == pl.String():
        return isinstance(dtype, pl.Categorical | pl.Enum | pl.Date)
    if dtype in _WIDTHS:
        target_bits = _EXACT.get(target, _WIDTHS.get(target, 0))
        keeps_sign = target.is_signed_integer() or target.is_float() or dtype.is_unsigned_integer()
        return keeps_sign and _WIDTHS[dtype] <= target_bits
    return dtype in _EXACT and _EXACT[dtype] <= _EXACT.get(target, 0)
