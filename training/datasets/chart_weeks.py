"""Spines of weekly charts: at an origin every title that is on the chart or was lately, and its later ranks."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from feature_repo.home import Home
from transforms.batch.features.chart_grid import DAY, ChartGrid
from transforms.raw.read import scan
from transforms.raw.table import MICROSECONDS_UTC

LATELY = 104
"""Weeks after its last rank in which a title may return; 99 in 100 returns come sooner."""


def grids(home: Home) -> dict[str, ChartGrid]:
    """Loads all charts: chart → all of its weeks."""
    entries = scan(home, "chart_entries").collect()
    return {str(name[0]): ChartGrid.of(chart) for name, chart in entries.group_by("chart", maintain_order=True)}


def spine(grid: ChartGrid, weeks: Iterable[int], ahead: Iterable[int]) -> pl.DataFrame:
    """Makes one row per origin and title; origins lie at the midnight after a chart's date.

    Args:
        grid: the chart.
        weeks: numbers of weeks of the grid; those whose chart is missing are left out.
        ahead: horizons in weeks.

    Returns:
        ``track_id``, ``artist_id``, ``event_timestamp``, ``week``, ``rank`` (0 for off), and
        ``rank_<h>w`` for each horizon: 0 for off, null if that chart is missing or lies in the future.
    """
    newest = grid.newest
    ahead = list(ahead)
    pieces = []
    for week in weeks:
        if not grid.dates[week]:
            continue
        last_charted = newest[:, week]
        titles = np.flatnonzero((last_charted >= 0) & (week - last_charted < LATELY))
        origins = np.full(len(titles), week)
        row = {
            "track_id": grid.titles.gather(titles),
            "artist_id": grid.artists.gather(titles),
            "event_timestamp": pl.repeat(int(grid.dates[week]) + DAY, len(titles), dtype=pl.Int64, eager=True),
            "week": pl.Series(origins, dtype=pl.Int64),
            "rank": pl.Series(grid.places[titles, week], dtype=pl.Int64),
            **{f"rank_{h}w": pl.Series(grid.ahead(origins, titles, h), dtype=pl.Int64) for h in ahead},
        }
        pieces.append(pl.DataFrame(row))
    columns = [f"rank_{h}w" for h in ahead]
    return pl.concat(pieces).with_columns(
        pl.col("event_timestamp").cast(MICROSECONDS_UTC),
        *(pl.when(pl.col(name) >= 0).then(pl.col(name)).alias(name) for name in columns),
    )


def of_chart(rows: pl.DataFrame, chart: str) -> pl.DataFrame:
    """Leaves the rows of a pulled spine whose features are of this chart; a title on several has those of one."""
    return rows.filter(pl.col("track_chart__chart") == chart)
