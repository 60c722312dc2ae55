"""The days of a raw table of events: their files, and what they hold."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from feature_repo.home import Home
from transforms import parquet
from transforms.raw.read import scan


@dataclass(frozen=True)
class RawDays:
    """By day: file, number of rows, digest."""

    paths: dict[date, Path]
    rows: dict[date, int]
    digests: dict[date, str]

    @classmethod
    def of(cls, home: Home, table: str) -> "RawDays":
        """Look at a raw table.

        A file is digested once, and again when its size or time of change is another.

        Raises:
            StoreError: a file is damaged.
        """
        scan(home, table)
        folder = home.raw(table)
        found = {date.fromisoformat(day): told for day, told in parquet.remembered(folder, _opened).items()}
        return cls(
            {day: folder / f"date={day}" / parquet.PART for day in found},
            {day: rows for day, (rows, _) in found.items()},
            {day: digest for day, (_, digest) in found.items()},
        )

    def between(self, first: date, last: date) -> list[date]:
        """Days with events from ``first`` up to, but without, ``last``."""
        return self._days[bisect_left(self._days, first) : bisect_left(self._days, last)]

    @cached_property
    def _days(self) -> list[date]:
        return sorted(self.paths)

    def load(self, days: Iterable[date], columns: list[str]) -> pl.DataFrame:
        """The events of some days: some columns, and both times."""
        wanted = [self.paths[day] for day in days]
        paths = wanted or list(self.paths.values())[:1]  # of no days, the columns
        frame = pl.scan_parquet(paths, hive_partitioning=False, glob=False, n_rows=None if wanted else 0)
        return frame.select(*columns, "event_timestamp", "created_timestamp").collect()


def _opened(path: Path) -> tuple[int, str]:
    return pq.read_metadata(path).num_rows, parquet.digest(path)
