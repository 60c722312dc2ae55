"""A title's places on its weekly chart (view ``track_chart``)."""

import numpy as np
import polars as pl

from transforms.batch.features.chart_grid import DAY, ChartGrid
from transforms.batch.features.feature_table import FeatureTable
from transforms.raw.table import MICROSECONDS_UTC

WEEKS = 13
"""Number of newest charts whose places are a feature."""
AHEAD = (1, 4, 13)
"""Weeks ahead for which the place of a year before is a feature."""
YEAR = 52
_CHUNK = 4_000


def track_chart(entries: pl.DataFrame) -> pl.DataFrame:
    """Computes one row for each title and chart at which a feature changes, stamped the midnight after the chart date.

    Args:
        entries: the raw table ``chart_entries``. Charts lie on a grid of weeks; a missing chart is not treated as a
            chart without the title.
    """
    grids = [ChartGrid.of(chart) for _, chart in entries.group_by("chart")]
    pieces = [
        _rows(grid.titles[low : low + _CHUNK], grid.chart, grid.places[low : low + _CHUNK], grid.dates, grid.created)
        for grid in grids
        for low in range(0, len(grid.titles), _CHUNK)
    ]
    return one_chart_each(pl.concat(pieces)) if pieces else _typed(pl.DataFrame())


def one_chart_each(rows: pl.DataFrame) -> pl.DataFrame:
    """Leaves one row a title and moment where a title is on several charts.

    It is the row of the chart that the title is on then; of several, or of none, that of the chart that it was on
    longest by then, and of equals the first by name.

    Args:
        rows: rows as of ``track_chart``, those of every chart.
    """
    is_on_several = pl.col("chart").n_unique().over("track_id") > 1
    several = rows.filter(is_on_several)
    if several.is_empty():
        return rows
    is_on = pl.col("ranks_13w").list.last() > 0
    score = pl.when(is_on).then(1 << 32).otherwise(0) + pl.col("weeks")  # a chart it is on before all others
    charts = several["chart"].unique().sort().to_list()
    moments = (
        several.group_by("track_id", "event_timestamp")
        .agg(
            pl.col("created_timestamp").max(),
            *(score.filter(pl.col("chart") == name).max().alias(name) for name in charts),
        )
        .sort("track_id", "event_timestamp")
        .with_columns(pl.col(charts).forward_fill().over("track_id"))
        .with_columns(pl.concat_list(pl.col(charts).fill_null(-1)).list.arg_max().alias("chart"))
        .select(
            "track_id",
            "event_timestamp",
            pl.col("chart").replace_strict(dict(enumerate(charts)), return_dtype=pl.String),
            known="created_timestamp",
        )
        .sort("event_timestamp")
    )
    newest = moments.join_asof(
        several.sort("event_timestamp"), on="event_timestamp", by=["track_id", "chart"], check_sortedness=False
    )
    created = pl.max_horizontal("created_timestamp", "known").alias("created_timestamp")
    return pl.concat([rows.filter(~is_on_several), newest.with_columns(created).select(rows.columns)])


def _rows(titles: pl.Series, chart: str, places: np.ndarray, dates: np.ndarray, created: np.ndarray) -> pl.DataFrame:
    """Computes the rows of some titles; the arrays are as in ``ChartGrid``."""
    charting = places > 0
    has_row = np.zeros_like(charting)
    for lag in [*range(WEEKS + 1), *(YEAR - ahead + more for ahead in AHEAD for more in (0, 1))]:
        if lag < charting.shape[1]:
            has_row[:, lag:] |= charting[:, : charting.shape[1] - lag]
    title, week = np.nonzero(has_row & (dates > 0))
    padded = np.pad(places, ((0, 0), (YEAR, 0)), constant_values=-1)
    recent = padded[title[:, None], week[:, None] + YEAR - np.arange(WEEKS - 1, -1, -1)].astype(np.int64)
    numbers = np.arange(places.shape[1])
    best = np.minimum.accumulate(np.where(charting, places, np.int16(32_000)), axis=1)
    newest = np.maximum.accumulate(np.where(charting, numbers, -1), axis=1)
    is_new_peak = charting & (best < np.pad(best, ((0, 0), (1, 0)), constant_values=32_000)[:, :-1])
    peaked = np.maximum.accumulate(np.where(is_new_peak, numbers, -1), axis=1)
    # a run continues over a missing chart
    newest_chart = np.maximum.accumulate(np.where(places >= 0, numbers, -1), axis=1)
    before = np.pad(newest_chart, ((0, 0), (1, 0)), constant_values=-1)[:, :-1]
    was_on = np.where(before >= 0, np.take_along_axis(charting, np.maximum(before, 0), axis=1), False)
    runs = np.cumsum(charting & ~was_on, axis=1)
    at = (title, week)
    frame = {
        "track_id": titles.gather(title),
        "event_timestamp": dates[week] + DAY,
        "created_timestamp": np.maximum(dates[week] + DAY, created[week]),
        "chart": pl.repeat(chart, len(title), eager=True),
        "ranks_13w": pl.Series(recent, dtype=pl.Array(pl.Int64, WEEKS)).arr.to_list(),
        "peak": best[at],
        "weeks": np.cumsum(charting, axis=1)[at],
        "runs": runs[at],
        "first_charted": dates[charting.argmax(axis=1)][title],
        "last_charted": dates[newest[at]],
        "peaked": dates[peaked[at]],
        **{f"year_ago_{ahead}w": padded[title, week + ahead] for ahead in AHEAD},
    }
    return _typed(pl.DataFrame(frame))


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    numbers = ("peak", "weeks", "runs", "first_charted", "last_charted", "peaked", *(f"year_ago_{a}w" for a in AHEAD))
    types: dict[str, pl.DataType | type[pl.DataType]] = {
        "track_id": pl.String,
        "event_timestamp": MICROSECONDS_UTC,
        "created_timestamp": MICROSECONDS_UTC,
        "chart": pl.String,
        "ranks_13w": pl.List(pl.Int64),
        **dict.fromkeys(numbers, pl.Int64),
    }
    missing = [pl.lit(None).cast(dtype).alias(name) for name, dtype in types.items() if name not in frame.columns]
    return frame.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in types.items())


TABLE = FeatureTable("track_chart", source="chart_entries", compute=track_chart)
