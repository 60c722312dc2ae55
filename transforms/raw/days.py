"""The days of a raw table of events: their files, and what they hold."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from feature_repo.home import Home
from transforms import parquet
from transforms.raw import TABLES
from transforms.raw.read import REMEDY, scan_files
from transforms.raw.table import RawTable


@dataclass(frozen=True)
class RawDays:
    """By day: file, number of rows, digest; and the table."""

    paths: dict[date, Path]
    rows: dict[date, int]
    digests: dict[date, str]
    table: RawTable

    @classmethod
    def of(cls, home: Home, table: str) -> "RawDays":
        """Look at a raw table.

        A file is digested once, and again when its size or time of change is another.

        Raises:
            StoreError: a file is damaged, or lacks what the table has.
        """
        folder = home.raw(table)
        states = parquet.remembered(folder, partial(_opened, TABLES[table]), (int, str))
        found = {date.fromisoformat(day): told for day, told in states.items()}
        return cls(
            {day: folder / f"date={day}" / parquet.PART for day in found},
            {day: rows for day, (rows, _) in found.items()},
            {day: digest for day, (_, digest) in found.items()},
            TABLES[table],
        )

    def between(self, first: date, last: date) -> list[date]:
        """Days with events from ``first`` up to, but without, ``last``."""
        return self._days[bisect_left(self._days, first) : bisect_left(self._days, last)]

    @cached_property
    def _days(self) -> list[date]:
        return sorted(self.paths)

    def load(self, days: Iterable[date], columns: list[str]) -> pl.DataFrame:
        """The events of some days: some columns, and both times.

        Raises:
            StoreError: a file is damaged.
        """
        paths = [self.paths[day] for day in days]
        wanted = scan_files(self.table, paths).select(*columns, "event_timestamp", "created_timestamp")
        try:
            return wanted.collect()
        except parquet.UNREADABLE:
            for path in paths:
                parquet.read_whole(path, remedy=REMEDY)
            raise


def _opened(table: RawTable, path: Path) -> tuple[int, str]:
    scan_files(table, [path])  # an error if it is no such file
    return pq.read_metadata(path).num_rows, parquet.digest(path)
