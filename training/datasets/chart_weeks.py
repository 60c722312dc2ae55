"""Spines of weekly charts: at an origin every title that is or lately was on it, and where it will be."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from feature_repo.home import Home
from transforms.batch.features.chart_grid import DAY, ChartGrid
from transforms.raw.read import scan
from transforms.raw.table import MICROSECONDS_UTC

LATELY = 104
"""Weeks after its last place for which a title may still come back; 99 in 100 returns come sooner."""


def grids(home: Home) -> dict[str, ChartGrid]:
    """Chart → all of its weeks."""
    entries = scan(home, "chart_entries").collect()
    return {str(name[0]): ChartGrid.of(chart) for name, chart in entries.group_by("chart", maintain_order=True)}


def spine(grid: ChartGrid, weeks: Iterable[int], ahead: Iterable[int]) -> pl.DataFrame:
    """One row per origin and title; origins at the midnight after a chart's date.

    Args:
        grid: the chart.
        weeks: numbers of weeks of the grid; those whose chart is missing are left out.
        ahead: weeks ahead that are asked for.

    Returns:
        ``track_id``, ``artist_id``, ``event_timestamp``, ``week``, ``rank`` (0 for off), and
        ``rank_<h>w`` for each week ahead: 0 for off, null where the chart is missing or has not come yet.
    """
    newest = grid.newest
    ahead = list(ahead)
    pieces = []
    for week in weeks:
        if not grid.dates[week]:
            continue
        last = newest[:, week]
        title = np.flatnonzero((last >= 0) & (week - last < LATELY))
        at = np.full(len(title), week)
        row = {
            "track_id": grid.titles.gather(title),
            "artist_id": grid.artists.gather(title),
            "event_timestamp": pl.repeat(int(grid.dates[week]) + DAY, len(title), dtype=pl.Int64, eager=True),
            "week": pl.Series(at, dtype=pl.Int64),
            "rank": pl.Series(grid.places[title, week], dtype=pl.Int64),
            **{f"rank_{h}w": pl.Series(grid.ahead(at, title, h), dtype=pl.Int64) for h in ahead},
        }
        pieces.append(pl.DataFrame(row))
    columns = [f"rank_{h}w" for h in ahead]
    return pl.concat(pieces).with_columns(
        pl.col("event_timestamp").cast(MICROSECONDS_UTC),
        *(pl.when(pl.col(name) >= 0).then(pl.col(name)).alias(name) for name in columns),
    )
