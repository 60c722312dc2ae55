"""Trailing windows over days, written down only when they change.

A window of w days at midnight T covers the events of the w days before T. Its value can only change at T when the day
before T holds events of the key, or the day that has just left the window does. So every day of events contributes
two changes to each window: plus its sums on the next midnight, minus the same w days later. Summed up in time order
they give every value at every midnight where anything changed, in one sort, whatever the number of days. All sums are
integers: nothing drifts.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import polars as pl

from feature_repo.sources import WINDOW_DAYS
from transforms.raw.table import MICROSECONDS_UTC

LONGEST = max(WINDOW_DAYS)


def change_days(days_with_events: Iterable[date]) -> list[date]:
    """Midnights at which a windowed value can change, oldest first."""
    lags = (1, *(days + 1 for days in WINDOW_DAYS))
    return sorted({day + timedelta(days=lag) for day in days_with_events for lag in lags})


def daily(plays: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Sums of one key and day: ``plays``, ``skips``, ``listening_ms``; with the newest ``created_timestamp``."""
    return (
        plays.drop_nulls(list(keys))
        .with_columns(_day=pl.col("event_timestamp").dt.date())
        .group_by(*keys, "_day")
        .agg(
            plays=pl.len().cast(pl.Int64),
            skips=pl.col("skipped").fill_null(False).sum().cast(pl.Int64),
            listening_ms=pl.col("ms_played").fill_null(0).sum(),
            _created=pl.col("created_timestamp").max(),
        )
    )


def trailing_sums(tiles: pl.DataFrame, keys: Sequence[str], columns: Sequence[str]) -> pl.DataFrame:
    """Changes of window sums.

    Args:
        tiles: ``keys``, ``_day`` and integer ``columns``; one row per key and day.
        keys: join keys.
        columns: what to sum.

    Returns:
        ``keys``, ``_at`` (the midnight's date) and ``column_wd`` for each column and window: what to *add* there.
    """
    pieces = []
    for window in WINDOW_DAYS:
        names = {column: f"{column}_{window}d" for column in columns}
        for lag, sign in ((1, 1), (window + 1, -1)):
            pieces.append(
                tiles.select(
                    *keys,
                    (pl.col("_day") + pl.duration(days=lag)).alias("_at"),
                    *((sign * pl.col(column)).alias(name) for column, name in names.items()),
                )
            )
    return pl.concat(pieces, how="diagonal")


def trailing_distinct(plays: pl.DataFrame, keys: Sequence[str], of: str, name: str) -> pl.DataFrame:
    """Changes of the number of distinct values of a column, as ``trailing_sums`` gives them.

    A value is in the window at T while one of its days is among the last w; it enters after a gap of more than w
    days and leaves w days after the last day before such a gap.
    """
    pair = [*keys, of]
    seen = (
        plays.drop_nulls(pair)
        .select(*pair, _day=pl.col("event_timestamp").dt.date())
        .unique()
        .sort(*pair, "_day")
        .with_columns(_since=_days_since_same(pair))
        .with_columns(_until=pl.col("_since").shift(-1))
    )
    pieces = []
    for window in WINDOW_DAYS:
        column = f"{name}_{window}d"
        enters = seen.filter(pl.col("_since").is_null() | (pl.col("_since") > window))
        leaves = seen.filter(pl.col("_until").is_null() | (pl.col("_until") > window))
        for rows, lag, sign in ((enters, 1, 1), (leaves, window + 1, -1)):
            at = (pl.col("_day") + pl.duration(days=lag)).alias("_at")
            pieces.append(rows.select(*keys, at, pl.lit(sign, pl.Int64).alias(column)))
    return pl.concat(pieces, how="diagonal")


def _days_since_same(pair: Sequence[str]) -> pl.Expr:
    """Days since the row before, in sorted rows; null where that row is of another pair."""
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in pair)
    return pl.when(same).then((pl.col("_day") - pl.col("_day").shift()).dt.total_days())


def accumulate(
    changes: Sequence[pl.DataFrame], tiles: pl.DataFrame, keys: Sequence[str], midnights: Sequence[date]
) -> pl.DataFrame:
    """Add changes up to values.

    Args:
        changes: of ``trailing_sums`` and ``trailing_distinct``, over all events of the ``LONGEST + 1`` days before
            the first midnight.
        tiles: of ``daily``, for the created times.
        keys: join keys.
        midnights: dates whose rows are wanted.

    Returns:
        ``keys``, ``event_timestamp``, ``created_timestamp`` and all window columns; one row for each key and wanted
        midnight at which one of them could have changed.
    """
    together = pl.concat(changes, how="diagonal")
    columns = [name for name in together.columns if name not in (*keys, "_at")]
    values = (
        together.group_by(*keys, "_at")
        .agg(pl.col(columns).sum())
        .sort(*keys, "_at")
        .with_columns(pl.col(columns).cum_sum().over(keys))
        .filter(pl.col("_at").is_in(list(midnights)))
        .with_columns(event_timestamp=pl.col("_at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    )
    return _created(values, tiles, keys).drop("_at")


def _created(values: pl.DataFrame, tiles: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """When each row could first be known: at its T, or when the last late event in its window arrived."""
    late = tiles.select(*keys, "_day", "_created").filter(
        pl.col("_created") > (pl.col("_day") + pl.duration(days=1)).cast(MICROSECONDS_UTC)
    )
    age = (pl.col("_at") - pl.col("_day")).dt.total_days()
    arrived = (
        values.select(*keys, "_at")
        .join(late, on=list(keys))
        .filter(age.is_between(1, LONGEST))
        .group_by(*keys, "_at")
        .agg(pl.col("_created").max())
    )
    joined = values.join(arrived, on=[*keys, "_at"], how="left", maintain_order="left")
    return joined.with_columns(
        created_timestamp=pl.max_horizontal("event_timestamp", "_created").cast(MICROSECONDS_UTC)
    ).drop("_created")


def skip_rates() -> list[pl.Expr]:
    """``skip_rate_wd`` from ``skips_wd`` and ``plays_wd``; null where nothing was played."""
    return [
        pl.when(pl.col(f"plays_{days}d") > 0)
        .then(pl.col(f"skips_{days}d") / pl.col(f"plays_{days}d"))
        .alias(f"skip_rate_{days}d")
        for days in WINDOW_DAYS
    ]
