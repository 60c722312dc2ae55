"""Versions of the rows of feature tables: a written row is kept, and corrections are further versions of it.

A row whose values have changed gets a new version with a later created time. A row that is gone is kept too, and gets a
closing row, with the values that its key has without it (``transforms.batch.closings``). So a training set as known at
a moment sees the versions that existed then, and all other readers see the newest version. Changed code or a changed
declaration makes another feature: the new rows replace the old ones, and rows that only the old ones had get closing
rows, because they may be online.

A run examines the rows that are due by its clock. Later rows, written by a run whose clock was ahead, are treated
neither as gone nor as changed: they stay until they are due. No created time is a moment of an earlier run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from feature_repo.clock import LAST, microseconds
from feature_repo.errors import StoreError
from feature_repo.home import Home
from transforms import feature_tables, parquet
from transforms.batch.gone_rows import GoneRows

if TYPE_CHECKING:
    from feast import FeatureView

CODE = "refrain.code"
"""Key of a file's metadata: fingerprint of declaration and code."""

UNTIL = "refrain.until"
"""Key of a file's metadata: the moment up to which its rows were due when it was written, microseconds since 1970."""

SAME = 1e-9
"""Relative difference up to which two floats are equal: decayed sums depend slightly on where a run began."""

MICROSECOND = pl.duration(microseconds=1)


@dataclass(frozen=True)
class Origin:
    """The inputs, code and moment of the run that computed the rows of a file.

    Attributes:
        inputs: fingerprint of the input data.
        code: fingerprint of declaration and code.
        now: the moment of the run; later rows are not due, and are not examined.
    """

    inputs: str
    code: str
    now: datetime


def write(
    home: Home,
    view: "FeatureView",
    rows: pl.DataFrame,
    origin: Origin,
    *,
    date: str | None,
    part: str = parquet.PART,
    has_versions: bool = False,
) -> None:
    """Writes the rows of one file as new versions, and notes gone rows, for which ``closings`` writes closing rows.

    Args:
        home: the data folder.
        view: view of the table.
        rows: rows that conform to the view.
        origin: inputs, code and moment of the rows.
        date: partition; None for a table that is one file.
        part: name of the file.
        has_versions: whether the rows have created times of their own, and may have several versions of a key and event
            time. They are then complete, including rows of later moments.
    """
    now = feature_tables.created_time(home, origin.now)
    versions = _versions(home, view, rows, origin, date, part, now=now, has_versions=has_versions)
    feature_tables.write_partition(
        home, view, versions, date=date, inputs=origin.inputs, part=part, more=_about(origin, now), conformed=True
    )


def write_days(
    home: Home, view: "FeatureView", rows: Mapping[str, pl.DataFrame], origins: Mapping[str, Origin]
) -> dict[str, int]:
    """Writes the rows of many days as ``write`` does.

    Args:
        home: the data folder.
        view: view of the table.
        rows: date → rows that conform to the view; a date without rows may be absent.
        origins: date → inputs, code and moment of its rows; the moment is the same for all.

    Returns:
        Date → number of rows in its file, all versions.
    """
    heights: dict[str, int] = {}
    no_rows, dates = pl.DataFrame(schema=feature_tables.schema(view)), list(origins)
    now = feature_tables.created_time(home, origins[dates[0]].now)
    for start in range(0, len(dates), parquet.FILES_AT_ONCE):
        versions, metadata = {}, {}
        for date in dates[start : start + parquet.FILES_AT_ONCE]:
            versions[date] = _versions(
                home, view, rows.get(date, no_rows), origins[date], date, parquet.PART, now=now, has_versions=False
            )
            metadata[date] = {feature_tables.INPUTS: origins[date].inputs, **_about(origins[date], now)}
        feature_tables.write_days(home, view, versions, metadata)
        heights |= {date: part.height for date, part in versions.items()}
    return heights


def _about(origin: Origin, now: datetime) -> dict[str, str]:
    """Metadata of a file, besides its inputs."""
    return {CODE: origin.code, UNTIL: str(microseconds(now))}


def _versions(
    home: Home,
    view: "FeatureView",
    rows: pl.DataFrame,
    origin: Origin,
    date: str | None,
    part: str,
    *,
    now: datetime,
    has_versions: bool,
) -> pl.DataFrame:
    """The rows of a file with their earlier versions; notes those that are gone."""
    path = feature_tables.file_of(home, view, date, part)
    metadata = parquet.metadata(path)
    before = _rows_before(path, view) if metadata else None
    gone, end = None, None if has_versions else origin.now
    identity = [*view.join_keys, "event_timestamp"]
    if before is not None and before.equals(rows):  # the most frequent case: no event that they count arrived
        gone = before.select(identity).clear()
    elif before is not None:
        absent = before.select(identity).unique().join(rows, on=identity, how="anti")
        gone = absent if end is None else absent.filter(pl.col("event_timestamp") <= end)
        if metadata.get(CODE) != origin.code:
            rows = _replace_rows(before, rows, absent, view.join_keys, now=now)
        elif has_versions:
            rows = _add_versions(before, rows, view.join_keys, now=now)
        else:
            rows = corrected(before, rows, view.join_keys, now=now, until=int(metadata.get(UNTIL, 0)))
        rows = feature_tables.conform(view, rows)
    GoneRows.of(home, view).note(gone, date, part, end=end)
    return rows


def corrected(
    before: pl.DataFrame, after: pl.DataFrame, keys: list[str], *, now: datetime, until: int = 0
) -> pl.DataFrame:
    """Adds new versions of rows whose values have changed.

    Args:
        before: all versions so far, which are all kept.
        after: the current rows, one version of each.
        keys: join keys.
        now: earliest created time of corrections.
        until: moment up to which rows were written before, microseconds since 1970; no reader has seen later rows.

    Returns:
        The versions before, and new versions of rows that changed. The created time of a new version is that of its
        last event, or now if readers have seen another version since.
    """
    compared = _compare(after, before, [*keys, "event_timestamp"])
    created_before, at = pl.col("created_timestamp:before"), pl.col("event_timestamp")
    is_new = created_before.is_null() & (at.dt.timestamp("us") > until)
    is_late = pl.col("created_timestamp") > pl.coalesce(created_before, at)
    created = pl.when(is_new | is_late).then("created_timestamp").otherwise(_created_after(created_before, now))
    changed = compared.filter(created_before.is_null() | pl.col("is_other")).with_columns(created_timestamp=created)
    return _append(before, changed.select(after.columns), [*keys, "event_timestamp"])


def _add_versions(before: pl.DataFrame, after: pl.DataFrame, keys: list[str], *, now: datetime) -> pl.DataFrame:
    """Adds versions that have created times of their own.

    If a row's newest version in ``after`` has other values than its newest version before, and was not created later,
    it is added once more with created time now.
    """
    identity = [*keys, "event_timestamp"]
    new_versions = after.join(before, on=[*identity, "created_timestamp"], how="anti")
    versions = pl.concat([before.select(after.columns), new_versions], how="vertical_relaxed")
    compared = _compare(newest_versions(after, identity), versions, identity)
    created = _created_after(pl.col("created_timestamp:before"), now)
    repeated = compared.filter("is_other").with_columns(created_timestamp=created)
    return _append(versions, repeated.select(after.columns), identity)


def _append(before: pl.DataFrame, additions: pl.DataFrame, identity: list[str]) -> pl.DataFrame:
    """Appends versions; a version with the last possible created time replaces an earlier one with the same time."""
    before = before.select(additions.columns)
    last = additions.filter(pl.col("created_timestamp") >= LAST)
    if last.height:
        before = before.join(last, on=[*identity, "created_timestamp"], how="anti", maintain_order="left")
    return pl.concat([before, additions], how="vertical_relaxed")


def _compare(after: pl.DataFrame, before: pl.DataFrame, identity: list[str]) -> pl.DataFrame:
    """Joins rows with their newest version before, as columns ``name:before``; ``is_other`` says if values differ."""
    features = [name for name in after.columns if name not in (*identity, "created_timestamp")]
    newest = newest_versions(before, identity)
    newest_before = newest.rename({name: f"{name}:before" for name in (*features, "created_timestamp")})
    compared = after.join(newest_before, on=identity, how="left", maintain_order="left")
    is_same = pl.all_horizontal(True, *(_equal(name, after.schema[name]) for name in features))
    return compared.with_columns(is_other=~is_same & pl.col("created_timestamp:before").is_not_null())


def _replace_rows(
    before: pl.DataFrame, after: pl.DataFrame, absent: pl.DataFrame, keys: list[str], *, now: datetime
) -> pl.DataFrame:
    """Replaces rows of other code by new ones, which get later created times than the old versions where needed.

    The newest versions of absent rows are kept until they are closed or due, in the columns that both tables have.
    """
    identity = [*keys, "event_timestamp"]
    newest = newest_versions(before, identity)
    types = after.schema
    shared = [name for name in after.columns if before.schema.get(name) == types[name]]
    kept = newest.join(absent, on=identity, how="semi").select(
        *(pl.col(name) if name in shared else pl.lit(None, types[name]).alias(name) for name in after.columns)
    )
    created = newest.select(*identity, pl.col("created_timestamp").alias("created_timestamp:before"))
    latest = newest_versions(after, identity).join(created, on=identity, how="inner")
    created_before = pl.col("created_timestamp:before")
    repeated = latest.filter(created_before > pl.col("created_timestamp")).with_columns(
        created_timestamp=_created_after(created_before, now)
    )
    return pl.concat([_append(after, repeated.select(after.columns), identity), kept], how="vertical_relaxed")


def newest_versions(rows: pl.DataFrame, identity: list[str]) -> pl.DataFrame:
    """The version of each row with the latest created time."""
    return rows.sort("created_timestamp").unique(identity, keep="last", maintain_order=True)


def _equal(name: str, dtype: pl.DataType) -> pl.Expr:
    now, before = pl.col(name), pl.col(f"{name}:before")
    if not dtype.is_float():
        return now.eq_missing(before)
    return now.eq_missing(before) | ((now - before).abs() <= SAME * before.abs()).fill_null(False)


def _created_after(created_before: pl.Expr, now: datetime) -> pl.Expr:
    """Now, or a microsecond after the created time before if that is later; at most ``LAST``."""
    time = pl.Datetime("us", "UTC")
    after = pl.min_horizontal(created_before + MICROSECOND, pl.lit(LAST, time))
    return pl.max_horizontal(pl.lit(now, time), after)


def _rows_before(path: Path, view: "FeatureView") -> pl.DataFrame | None:
    """All versions in a file; None if it is damaged or has other keys, in which case its rows are lost."""
    try:
        before = parquet.read_whole(path, remedy="refrain build")
    except StoreError:
        return None
    times = ("event_timestamp", "created_timestamp")
    return before if {*view.join_keys, *times} <= set(before.columns) else None


def replace(
    home: Home, view: "FeatureView", rows: pl.DataFrame, *, date: str, part: str, inputs: str, now: datetime
) -> None:
    """Replaces the rows that a model computed before by new ones, and notes the rows that are gone.

    Args:
        home: the data folder; the caller holds ``feature_tables.writing``.
        view: view of the table.
        rows: rows of one file of the table, in any order.
        date: partition.
        part: name of the file.
        inputs: fingerprint of the model and of its inputs.
        now: the moment of the run.
    """
    origin = Origin(inputs, code=inputs, now=now)
    write(home, view, feature_tables.conform(view, rows), origin, date=date, part=part, has_versions=True)
