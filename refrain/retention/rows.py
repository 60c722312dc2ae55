"""Rows of raw tables that are older than a moment: their number, and their removal."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from feature_repo.days import days_in
from feature_repo.encryption import parquet_files
from feature_repo.home import Home
from refrain.person.erasure.rows import erase_rows
from transforms import parquet
from transforms.raw import left_out
from transforms.raw.declared import raw_tables
from transforms.raw.read import REMEDY
from transforms.raw.table import RawTable

_DAY = timedelta(days=1)


def aged_rows(home: Home, name: str, horizon: datetime) -> int:
    """Count the rows of a raw table, and of its repetitions that were left out, that are older than a moment.

    Of a table that changes slowly, the newest row of each key before the moment still holds, and stays.

    Raises:
        StoreError: a file is damaged.
    """
    table = raw_tables(home)[name]
    whole, partial = _files(home, table, horizon)
    count = sum(parquet_files.metadata(path).num_rows for path in whole)
    for path in partial:
        rows = parquet.read_whole(path, remedy=REMEDY)
        count += rows.filter(_is_aged(table, path, horizon)).height
    return count


def remove_aged(home: Home, name: str, horizon: datetime) -> int:
    """Remove these rows; the caller holds ``ingest.storing``.

    Returns:
        Their number.
    """
    table = raw_tables(home)[name]
    whole, partial = _files(home, table, horizon)
    count = sum(parquet_files.metadata(path).num_rows for path in whole)
    for folder in [] if table.person else _days_over(home, table, horizon):
        shutil.rmtree(folder)
    for path in partial:
        count += erase_rows([path], always(_is_aged(table, path, horizon)))
        if path.parent.name.startswith("month=") and not any(path.parent.iterdir()):
            path.parent.rmdir()
    return count


def always(expression: pl.Expr) -> Callable[[Sequence[str]], pl.Expr]:
    """A function that gives one expression, whatever columns a file has, for ``erase_rows``."""
    return lambda _: expression


def _files(home: Home, table: RawTable, horizon: datetime) -> tuple[list[Path], list[Path]]:
    """The files whose rows are all older, and those some of whose rows may be."""
    folder = home.raw(table.name)
    if table.changes_slowly:
        files = [folder / parquet.PART, *sorted(folder.glob(f"month=*/{left_out.FILE}"))]
        return [], [path for path in files if path.is_file()]
    over = [path for day in _days_over(home, table, horizon) for path in _parts(day)]
    last = list(_parts(folder / f"date={horizon.date()}"))
    return ([], [*over, *last]) if table.person else (over, last)


def _days_over(home: Home, table: RawTable, horizon: datetime) -> list[Path]:
    if table.changes_slowly:
        return []
    days = days_in(home.raw(table.name)).items()
    return [Path(path) for text, path in days if datetime.fromisoformat(text).replace(tzinfo=UTC) + _DAY <= horizon]


def _parts(day: Path) -> Iterator[Path]:
    yield from (path for name in (parquet.PART, left_out.FILE) if (path := day / name).is_file())


def _is_aged(table: RawTable, path: Path, horizon: datetime) -> pl.Expr:
    moment, is_older = pl.col("event_timestamp"), table.is_before(horizon)
    if table.changes_slowly and path.name == parquet.PART:
        return is_older & (moment < moment.filter(is_older).max().over(list(table.key)))
    return is_older
