"""Feature tables on disk: their schemas as the contract declares them, and the only code that writes them."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from feature_repo import clock
from feature_repo.contract import contract_of
from feature_repo.days import files_in
from feature_repo.encryption import parquet_files
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from transforms import parquet
from transforms.raw.table import MICROSECONDS_UTC

if TYPE_CHECKING:
    from feast import FeatureView

INPUTS = "refrain.inputs"
"""Metadata key of a file: the fingerprint of the inputs that its rows were computed from."""

TYPES: dict[str, pl.DataType] = {
    "String": pl.String(),
    "Int64": pl.Int64(),
    "Float64": pl.Float64(),
    "Float32": pl.Float32(),
    "Bool": pl.Boolean(),
    "UnixTimestamp": MICROSECONDS_UTC,
    "Array(String)": pl.List(pl.String()),
    "Array(Float32)": pl.List(pl.Float32()),
    "Array(Float64)": pl.List(pl.Float64()),
    "Array(Int64)": pl.List(pl.Int64()),
    "Array(Bool)": pl.List(pl.Boolean()),
}
"""Feast type to polars type."""

EMPTY_DATE = "1970-01-01"
"""Partition of the empty file that gives a table its columns before it has rows."""


def tables(home: Home) -> "Mapping[str, FeatureView]":
    """Every feature view of the project that has a feature table, by name. Imports Feast, which takes seconds."""
    return contract_of(home).feature_tables


def schema(view: "FeatureView") -> dict[str, pl.DataType]:
    """Column types of a view's feature table: join keys, both times, features."""
    types = {column.name: str(column.dtype) for column in view.entity_columns}
    keys = {key: TYPES[types.get(key, "String")] for key in view.join_keys}
    times = {"event_timestamp": MICROSECONDS_UTC, "created_timestamp": MICROSECONDS_UTC}
    features = {field.name: TYPES[str(field.dtype)] for field in view.features}
    return {**keys, **times, **features}


def conform(view: "FeatureView", rows: pl.DataFrame, *, in_order: bool = False) -> pl.DataFrame:
    """Cast rows to the column order and types of the view's schema; sort them by key, event time and created time.

    Args:
        view: the feature view whose schema applies.
        rows: rows of its feature table.
        in_order: whether the rows are sorted already.

    Raises:
        StoreError: a column is missing or has a type that does not fit, a key or time is null, or a row occurs twice.
    """
    expected = schema(view)
    absent = [name for name in expected if name not in rows.columns]
    if absent:
        raise _mismatch(view, f"no column {absent} among {rows.columns}")
    try:
        typed = rows.select(pl.col(name).cast(dtype) for name, dtype in expected.items())
    except pl.exceptions.PolarsError as error:
        raise _mismatch(view, str(error).splitlines()[0]) from error
    identity = [*view.join_keys, "event_timestamp", "created_timestamp"]
    if any(typed[name].null_count() for name in identity):
        raise _mismatch(view, f"a null in {identity}")
    ordered = typed if in_order else typed.sort(identity)
    same_as_before = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in identity)
    if ordered.select(same_as_before.any()).item():
        raise _mismatch(view, f"two rows with the same {identity}")
    return ordered


def write_partition(
    home: Home,
    view: "FeatureView",
    rows: pl.DataFrame,
    *,
    date: str | None,
    inputs: str,
    part: str = parquet.PART,
    more: dict[str, str] | None = None,
    conformed: bool = False,
) -> Path:
    """Write one file of a table, whole or not at all.

    Args:
        home: the data folder.
        view: the feature view of the table.
        rows: rows with the columns of the table in any order; checked against the schema.
        date: date of the partition; None for a table without partitions.
        inputs: fingerprint of the inputs that the rows were computed from.
        part: file name within the partition.
        more: further metadata of the file.
        conformed: whether the rows have already passed ``conform``.
    """
    path = file_of(home, view, date, part)
    parquet.write_whole(rows if conformed else conform(view, rows), path, metadata={INPUTS: inputs, **(more or {})})
    return path


def write_days(
    home: Home, view: "FeatureView", rows: Mapping[str, pl.DataFrame], metadata: Mapping[str, Mapping[str, str]]
) -> None:
    """Write the files of many days of a table, each whole or not at all.

    Args:
        home: the data folder.
        view: the feature view of the table.
        rows: date → rows that have passed ``conform``.
        metadata: date → metadata of its file, with ``INPUTS``.
    """
    paths = {date: file_of(home, view, date) for date in rows}
    parquet.write_all(
        {paths[date]: day for date, day in rows.items()}, {paths[date]: about for date, about in metadata.items()}
    )


def file_of(home: Home, view: "FeatureView", date: str | None, part: str = parquet.PART) -> Path:
    """The path of the file of one date, or of the whole table if it has no dates."""
    folder = home.features(view.name)
    return (folder / f"date={date}" if date else folder) / part


def write_empty(home: Home, view: "FeatureView") -> None:
    """Write a file without rows for a table that has no file, so that every engine finds its columns."""
    folder = home.features(view.name)
    if not parquet.has_dates(folder) and not files_in(folder):
        no_rows = pl.DataFrame(schema=schema(view))
        write_partition(home, view, no_rows, date=EMPTY_DATE, inputs="")


@contextmanager
def writing(home: Home) -> Iterator[None]:
    """Lock tiles and feature tables against other writers; first removes partial files of killed writers."""
    folder = home.ensure().root / "features"
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        parquet.sweep(folder)
        parquet.sweep(home.root / "tiles")
        yield


def note_built(home: Home) -> None:
    """Record that a batch run has ended, for processes that follow the tables."""
    _built_marker(home).touch()


def built_at(home: Home) -> int:
    """When the last batch run ended, as nanoseconds of the file system's clock; 0 if none did."""
    try:
        return _built_marker(home).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def created_time(home: Home, now: datetime) -> datetime:
    """The created time for the rows of a run: now, or the time of an earlier run if the clock has gone back.

    So a training set as known at the moment of an earlier run does not change. A stored time that is still in the
    future by the machine's clock came from a wrong clock, and is discarded.

    Args:
        home: the data folder; the caller holds ``writing``.
        now: the moment of the run; it is stored for later runs.
    """
    path = home.root / "features" / f".clock-{home.tenant}"
    try:
        latest = datetime.fromisoformat(path.read_text())
    except (FileNotFoundError, ValueError):
        latest = now
    if latest > now and clock.has_come(latest):
        return latest
    if latest != now or not path.is_file():
        write_whole(path, now.isoformat())
    return now


def _built_marker(home: Home) -> Path:
    return home.root / "features" / f".built-{home.tenant}"


def scan(home: Home, name: str) -> pl.LazyFrame:
    """Scan one feature table lazily.

    Raises:
        StoreError: the table has not been built.
    """
    files = files_in(home.features(name))
    if not files:
        raise StoreError(
            expected=f"a feature table in {home.features(name)}",
            found="no Parquet file",
            next_command="refrain build",
        )
    return parquet_files.scan(files, hive_partitioning=False)


def _mismatch(view: "FeatureView", found: str) -> StoreError:
    return StoreError(
        expected=f"rows of view {view.name!r}: {list(schema(view))}",
        found=found,
        next_command="correct transforms/batch/features or the view, then: refrain build",
    )
