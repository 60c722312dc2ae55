"""Versions of the rows of feature tables: a row that was written stays, and what became of it is written beside it.

A row that comes out with other values gets a new version with a later created time. A row that is not there any more
stays too, and is closed: its closing version says what its key says without it (``transforms.batch.closings``). So
readers of before keep what they saw, a training set as known at a moment sees what was known then, and all others see
the newest version. Changed code or another declaration is another feature: its rows replace the old ones, and rows
that only the old ones had are closed, for they may be online.

A run looks at the rows that are due by its clock. Later ones, of a run whose clock was ahead of this one's, are neither
gone nor other: they stay as they are until they are due. Nothing becomes known at a moment that a run has had before.
"""

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
"""Relative difference below which two floats are one value: sums that fade depend a little on where a run began."""

MICROSECOND = pl.duration(microseconds=1)


@dataclass(frozen=True)
class Made:
    """What the rows of a file were made of, and when.

    Attributes:
        inputs: fingerprint of the data behind them.
        code: fingerprint of declaration and code.
        now: the moment of the run; rows later than it are not due, and are not looked at.
    """

    inputs: str
    code: str
    now: datetime


def write(
    home: Home,
    view: "FeatureView",
    rows: pl.DataFrame,
    made: Made,
    *,
    date: str | None,
    part: str = parquet.PART,
    has_versions: bool = False,
) -> None:
    """Write the rows of one file beside those that they correct, and note which are gone, for ``closings`` to close.

    Args:
        home: the data folder.
        view: whose table.
        rows: that conform to the view.
        made: of what.
        date: partition; None for a table of one file.
        part: name of the file.
        has_versions: the rows tell themselves when each version was known; several may have one key and event time.
            They are all there are, of whatever moment.
    """
    path = feature_tables.file_of(home, view, date, part)
    metadata = parquet.metadata(path)
    before = _rows_before(path, view) if metadata else None
    gone = None
    now, end = feature_tables.known_from(home, made.now), None if has_versions else made.now
    identity = [*view.join_keys, "event_timestamp"]
    if before is not None and before.equals(rows):  # most often: nothing came that they count
        gone = before.select(identity).clear()
    elif before is not None:
        absent = before.select(identity).unique().join(rows, on=identity, how="anti")
        gone = absent if end is None else absent.filter(pl.col("event_timestamp") <= end)
        if metadata.get(CODE) != made.code:
            rows = _replaced(before, rows, absent, view.join_keys, now=now)
        elif has_versions:
            rows = _added(before, rows, view.join_keys, now=now)
        else:
            rows = corrected(before, rows, view.join_keys, now=now, until=int(metadata.get(UNTIL, 0)))
        rows = feature_tables.conform(view, rows)
    GoneRows.of(home, view).note(gone, date, part, end=end)
    more = {CODE: made.code, UNTIL: str(microseconds(now))}
    feature_tables.write_partition(
        home, view, rows, date=date, inputs=made.inputs, part=part, more=more, conformed=True
    )


def corrected(
    before: pl.DataFrame, after: pl.DataFrame, keys: list[str], *, now: datetime, until: int = 0
) -> pl.DataFrame:
    """Versions of rows.

    Args:
        before: all versions so far; they all stay.
        after: what the rows are now, one version of each.
        keys: join keys.
        now: from which new versions are known.
        until: rows were made up to this moment before, microseconds since 1970: a later one is new to everybody.

    Returns:
        The versions before, and new ones where a value changed. A new version is known when its last event was; or
        now, should readers have seen another one since.
    """
    beside = _beside(after, before, [*keys, "event_timestamp"])
    was, at = pl.col("created_timestamp:before"), pl.col("event_timestamp")
    is_new = was.is_null() & (at.dt.timestamp("us") > until)
    is_late = pl.col("created_timestamp") > pl.coalesce(was, at)
    created = pl.when(is_new | is_late).then("created_timestamp").otherwise(_after(was, now))
    known = beside.filter(was.is_null() | pl.col("is_other")).with_columns(created_timestamp=created)
    return _stacked(before, known.select(after.columns), [*keys, "event_timestamp"])


def _added(before: pl.DataFrame, after: pl.DataFrame, keys: list[str], *, now: datetime) -> pl.DataFrame:
    """Versions before and those of ``after``, which tell their own created times; a row whose newest version has
    other values than the newest of before and is not known later has it once more, known now.
    """
    identity = [*keys, "event_timestamp"]
    fresh = after.join(before, on=[*identity, "created_timestamp"], how="anti")
    together = pl.concat([before.select(after.columns), fresh], how="vertical_relaxed")
    beside = _beside(newest_versions(after, identity), together, identity)
    created = _after(pl.col("created_timestamp:before"), now)
    again = beside.filter("is_other").with_columns(created_timestamp=created)
    return _stacked(together, again.select(after.columns), identity)


def _stacked(before: pl.DataFrame, more: pl.DataFrame, identity: list[str]) -> pl.DataFrame:
    """Versions with more of them; one that is known at the last moment, which none can follow, gives way to another."""
    before = before.select(more.columns)
    last = more.filter(pl.col("created_timestamp") >= LAST)
    if last.height:
        before = before.join(last, on=[*identity, "created_timestamp"], how="anti", maintain_order="left")
    return pl.concat([before, more], how="vertical_relaxed")


def _beside(after: pl.DataFrame, before: pl.DataFrame, identity: list[str]) -> pl.DataFrame:
    """Rows with the newest version of before in columns ``name:before``, and whether they have other values."""
    features = [name for name in after.columns if name not in (*identity, "created_timestamp")]
    newest = newest_versions(before, identity)
    seen = newest.rename({name: f"{name}:before" for name in (*features, "created_timestamp")})
    beside = after.join(seen, on=identity, how="left", maintain_order="left")
    same = pl.all_horizontal(True, *(_equal(name, after.schema[name]) for name in features))
    return beside.with_columns(is_other=~same & pl.col("created_timestamp:before").is_not_null())


def _replaced(
    before: pl.DataFrame, after: pl.DataFrame, absent: pl.DataFrame, keys: list[str], *, now: datetime
) -> pl.DataFrame:
    """Rows of other code: they stand for the old ones, and win against those where these were known later.

    Of rows that are absent the newest version stays until it is closed or due, in the columns that both have.
    """
    identity = [*keys, "event_timestamp"]
    newest = newest_versions(before, identity)
    types = after.schema
    shared = [name for name in after.columns if before.schema.get(name) == types[name]]
    staying = newest.join(absent, on=identity, how="semi").select(
        *(pl.col(name) if name in shared else pl.lit(None, types[name]).alias(name) for name in after.columns)
    )
    created = newest.select(*identity, pl.col("created_timestamp").alias("created_timestamp:before"))
    latest = newest_versions(after, identity).join(created, on=identity, how="inner")
    was = pl.col("created_timestamp:before")
    again = latest.filter(was > pl.col("created_timestamp")).with_columns(created_timestamp=_after(was, now))
    return pl.concat([_stacked(after, again.select(after.columns), identity), staying], how="vertical_relaxed")


def newest_versions(rows: pl.DataFrame, identity: list[str]) -> pl.DataFrame:
    """The version of each row that was known last."""
    return rows.sort("created_timestamp").unique(identity, keep="last", maintain_order=True)


def _equal(name: str, dtype: pl.DataType) -> pl.Expr:
    now, before = pl.col(name), pl.col(f"{name}:before")
    if not dtype.is_float():
        return now.eq_missing(before)
    return now.eq_missing(before) | ((now - before).abs() <= SAME * before.abs()).fill_null(False)


def _after(was: pl.Expr, now: datetime) -> pl.Expr:
    """Now, or right after what was known before, should that be no earlier; at ``LAST`` if that is over."""
    time = pl.Datetime("us", "UTC")
    after = pl.min_horizontal(was + MICROSECOND, pl.lit(LAST, time))
    return pl.max_horizontal(pl.lit(now, time), after)


def _rows_before(path: Path, view: "FeatureView") -> pl.DataFrame | None:
    """All versions in a file; None where it is damaged, or of other keys: what it had is lost then."""
    try:
        before = parquet.read_whole(path, remedy="python -m transforms build")
    except StoreError:
        return None
    times = ("event_timestamp", "created_timestamp")
    return before if {*view.join_keys, *times} <= set(before.columns) else None


def replace(
    home: Home, view: "FeatureView", rows: pl.DataFrame, *, date: str, part: str, inputs: str, now: datetime
) -> None:
    """Write what a model says in the place of what one said before, and close what only that one said.

    Args:
        home: the data folder; the caller holds ``feature_tables.writing``.
        view: whose table.
        rows: of one file of it, in any order.
        date: partition.
        part: name of the file.
        inputs: fingerprint of the model and of what it was asked.
        now: the moment of the run.
    """
    made = Made(inputs, code=inputs, now=now)
    write(home, view, feature_tables.conform(view, rows), made, date=date, part=part, has_versions=True)
