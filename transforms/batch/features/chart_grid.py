"""One weekly chart as a grid: each title's place in each week."""

from dataclasses import dataclass

import numpy as np
import polars as pl

DAY = 86_400_000_000
WEEK = 7 * DAY
OFF, MISSING = 0, -1
"""Place of a title that is not on the chart, and place in a week whose chart is missing."""


@dataclass(frozen=True)
class ChartGrid:
    """All places of n titles over w weeks.

    Attributes:
        chart: name of the chart.
        titles: (n,) track_id of each title, sorted.
        artists: (n,) artist_id of each title.
        places: (n, w) int16 place, ``OFF`` or ``MISSING``.
        dates: (w,) dates of the charts, microseconds since 1970; 0 for a missing chart.
        created: (w,) created times of the charts, microseconds since 1970.
    """

    chart: str
    titles: pl.Series
    artists: pl.Series
    places: np.ndarray
    dates: np.ndarray
    created: np.ndarray

    @classmethod
    def of(cls, entries: pl.DataFrame) -> "ChartGrid":
        """Builds the grid from rows of the raw table ``chart_entries``: at least one row, all of one chart."""
        time = entries["event_timestamp"].dt.timestamp("us").to_numpy()
        week = np.rint((time - time.min()) / WEEK).astype(np.int64)
        weeks = int(week.max()) + 1
        dates, created = np.zeros(weeks, np.int64), np.zeros(weeks, np.int64)
        np.maximum.at(dates, week, time)
        np.maximum.at(created, week, entries["created_timestamp"].dt.timestamp("us").to_numpy())
        named = entries.group_by("track_id").agg(pl.col("artist_id").drop_nulls().first()).sort("track_id")
        title = entries["track_id"].cast(pl.Enum(named["track_id"])).to_physical().to_numpy()
        places = np.full((named.height, weeks), OFF, np.int16)
        places[:, dates == 0] = MISSING
        places[title, week] = entries["rank"].to_numpy()
        return cls(str(entries["chart"][0]), named["track_id"], named["artist_id"], places, dates, created)

    @property
    def size(self) -> int:
        """Number of places of the chart: the median of the weeks' largest ranks."""
        return int(np.median(self.places.max(axis=0)[self.dates > 0]))

    @property
    def newest(self) -> np.ndarray:
        """(n, w) week of each title's newest place up to each week; -1 before its first place."""
        weeks = np.arange(self.places.shape[1], dtype=np.int32)
        return np.maximum.accumulate(np.where(self.places > 0, weeks, np.int32(-1)), axis=1)

    def ahead(self, week: np.ndarray, title: np.ndarray, weeks: int) -> np.ndarray:
        """Places of titles ``weeks`` weeks after the given weeks; ``MISSING`` beyond the end of the grid."""
        later_week = week + weeks
        inside = later_week < self.places.shape[1]
        return np.where(inside, self.places[title, np.where(inside, later_week, 0)], MISSING)
