"""Raw tables, for the stages after: one listing of their files, and one reader of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import polars as pl

from feature_repo.days import days_in
from feature_repo.errors import StoreError
from feature_repo.home import Home
from transforms import parquet
from transforms.raw import TABLES
from transforms.raw.table import RawTable

REMEDY = "python -m transforms import …  (every source of that day)"
"""What brings a raw file back."""

_WIDTHS: dict[pl.DataType, int] = {pl.Int8(): 7, pl.Int16(): 15, pl.Int32(): 31, pl.Int64(): 63} | {
    pl.UInt8(): 8,
    pl.UInt16(): 16,
    pl.UInt32(): 32,
    pl.UInt64(): 64,
}
"""Bits of the largest number of a type of integers."""

_EXACT: dict[pl.DataType, int] = {pl.Float32(): 24, pl.Float64(): 53}
"""Bits of integers that a type of floats holds exactly."""


def files(home: Home, name: str) -> list[Path]:
    """The files of a raw table: one a day, or one alone where it changes slowly. Whatever else lies there is none."""
    folder = home.raw(name)
    places = [folder] if TABLES[name].changes_slowly else [Path(day) for day in days_in(folder).values()]
    return [path for place in places if (path := place / parquet.PART).is_file()]


def scan(home: Home, name: str) -> pl.LazyFrame:
    """One raw table, lazily; a table that was never written has no rows.

    Raises:
        StoreError: one of its files is damaged, or lacks what the table has; it is named.
    """
    return scan_files(TABLES[name], files(home, name))


def scan_files(table: RawTable, paths: Sequence[Path]) -> pl.LazyFrame:
    """Some files of a raw table, lazily, in its columns and types.

    A file of another tool may have its columns in other types that lose nothing in those of the table: narrower
    numbers, times of another unit or zone. A column that may be missing is null where a file lacks it, and more
    columns are ignored.

    Args:
        table: whose columns.
        paths: of its files; none give no rows.

    Raises:
        StoreError: a file is damaged, or lacks a column, or has one in a type that would lose something; it is named.
    """
    columns = table.columns
    scans = []
    for types, some in groupby(paths, lambda path: _other_types(table, path)):
        if types is None:
            plain = {"schema": columns, "missing_columns": "insert", "extra_columns": "ignore"}
            scans.append(pl.scan_parquet(list(some), hive_partitioning=False, glob=False, **plain))  # type: ignore[arg-type]
            continue
        first, *others = some
        wanted = [_column(table, name, dict(types).get(name), first) for name in columns]
        scans.append(pl.scan_parquet([first, *others], hive_partitioning=False, glob=False).select(wanted))
    return pl.concat(scans) if len(scans) > 1 else scans[0] if scans else pl.LazyFrame(schema=columns)


@contextmanager
def damage_named(home: Home) -> Iterator[None]:
    """While this holds, what polars says of pages that it cannot read becomes the error that names their file.

    Args:
        home: the data folder.

    Raises:
        StoreError: a file of a raw table is damaged.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        for name in TABLES:
            for path in files(home, name):
                parquet.read_whole(path, remedy=REMEDY)
        raise


def plays(home: Home) -> pl.LazyFrame:
    """The plays, of which there must be some.

    Raises:
        StoreError: there are none, or a file is damaged.
    """
    if not files(home, "plays"):
        raise StoreError(
            expected=f"plays in {home.raw('plays')}",
            found="none",
            next_command="python -m transforms simulate  (or: python -m transforms import FORMAT PATH)",
        )
    return scan(home, "plays")


def _other_types(table: RawTable, path: Path) -> tuple[tuple[str, pl.DataType], ...] | None:
    """Name and type of a file's columns; None where they are those of the table."""
    at = path.stat()
    types, columns = _types(path, at.st_size, at.st_mtime_ns), table.columns
    of_table = [(name, dtype) for name, dtype in types if name in columns]
    is_plain = all(columns[name] == dtype for name, dtype in of_table) and table.required <= {n for n, _ in of_table}
    return None if is_plain else types


@lru_cache(maxsize=65_536)
def _types(path: Path, size: int, changed: int) -> tuple[tuple[str, pl.DataType], ...]:
    """Of a file in some state; read once for each."""
    try:
        schema = pl.scan_parquet(path, hive_partitioning=False, glob=False).collect_schema()
    except parquet.UNREADABLE as error:
        raise parquet.damaged(path, error, REMEDY) from error
    return tuple(schema.items())


def _column(table: RawTable, name: str, have: pl.DataType | None, path: Path) -> pl.Expr:
    want, is_required = table.columns[name], name in table.required
    if have is None and not is_required:
        return pl.lit(None, want).alias(name)
    if have is None or not _holds(want, have) or (have == pl.Null() and is_required):
        raise StoreError(
            expected=f"the column {name} of the raw table {table.name} as {want}, or in a type that it holds",
            found=f"{f'{name} as {have}' if have is not None else f'no column {name}'} in {path}",
            next_command=f"write the file with that column, or: {parquet.removal(path)} && {REMEDY}",
        )
    column = pl.col(name)
    if isinstance(have, pl.Datetime) and have.time_zone is None:
        column = column.dt.replace_time_zone("UTC")
    return column.cast(want)


def _holds(want: pl.DataType, have: pl.DataType) -> bool:
    """Whether a type holds every value of another one; times are rounded down to microseconds."""
    if have in (want, pl.Null()):
        return True
    if isinstance(want, pl.List) and isinstance(have, pl.List):
        return _holds(want.inner, have.inner)  # type: ignore[arg-type]
    if isinstance(want, pl.Datetime):
        return isinstance(have, pl.Datetime)
    if want == pl.String():
        return isinstance(have, pl.Categorical | pl.Enum)
    if have in _WIDTHS:
        room = _EXACT.get(want, _WIDTHS.get(want, 0))
        is_signed = want.is_signed_integer() or want.is_float() or have.is_unsigned_integer()
        return is_signed and _WIDTHS[have] <= room
    return have in _EXACT and _EXACT[have] <= _EXACT.get(want, 0)
