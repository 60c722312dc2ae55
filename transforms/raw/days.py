"""The days of a raw table of events: their files, row counts, digests and rows."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, partial
from pathlib import Path

import polars as pl

from feature_repo.encryption import parquet_files
from feature_repo.home import Home
from transforms import parquet
from transforms.day_frames import KEPT_ROWS, DayFrames
from transforms.raw.by_day import DAY, by_day
from transforms.raw.declared import raw_tables
from transforms.raw.read import REMEDY, check_columns, read_days, scan_files
from transforms.raw.table import RawTable


@dataclass(frozen=True)
class RawDays:
    """The days of one raw table.

    Attributes:
        paths: day → file.
        rows: day → number of rows.
        digests: day → SHA-256 of the file.
        table: the raw table.
    """

    paths: dict[date, Path]
    rows: dict[date, int]
    digests: dict[date, str]
    table: RawTable
    _frames: DayFrames = field(default_factory=DayFrames, compare=False, repr=False)

    @classmethod
    def of(cls, home: Home, table: str) -> "RawDays":
        """Inspect the files of a raw table.

        A file is digested once, and again when its size or modification time has changed.

        Raises:
            StoreError: a file is damaged or lacks a column of the table.
        """
        folder = home.raw(table)
        facts = parquet.file_facts(folder, partial(_count_and_digest, raw_tables(home)[table]), (int, str))
        by_day = {date.fromisoformat(day): row_count_and_digest for day, row_count_and_digest in facts.items()}
        return cls(
            {day: folder / f"date={day}" / parquet.PART for day in by_day},
            {day: rows for day, (rows, _) in by_day.items()},
            {day: digest for day, (_, digest) in by_day.items()},
            raw_tables(home)[table],
        )

    def between(self, first: date, last: date) -> list[date]:
        """Days with events from ``first`` up to, but without, ``last``."""
        return self._days[bisect_left(self._days, first) : bisect_left(self._days, last)]

    @cached_property
    def _days(self) -> list[date]:
        return sorted(self.paths)

    def load(self, days: Iterable[date], columns: list[str]) -> pl.DataFrame:
        """Load the events of the given days: the given columns and both times.

        Raises:
            StoreError: a file is damaged.
        """
        days = list(days)
        names = [*columns, "event_timestamp", "created_timestamp"]
        if not days or sum(self.rows.get(day, KEPT_ROWS) for day in days) >= KEPT_ROWS:
            return self._read([self.paths[day] for day in days], names)
        frames = self._frames.get(days)
        if missing := [day for day in days if day not in frames]:
            rows = read_days(self.table, {day: self.paths[day] for day in missing})
            read = dict.fromkeys(missing, rows.drop(DAY).clear()) | dict(by_day(rows))
            self._frames.add(read)
            frames |= read
        return pl.concat([frames[day] for day in days]).select(names)

    def _read(self, paths: list[Path], names: list[str]) -> pl.DataFrame:
        try:
            return scan_files(self.table, paths).select(names).collect()
        except parquet.UNREADABLE:
            for path in paths:
                parquet.read_whole(path, remedy=REMEDY)
            raise


def _count_and_digest(table: RawTable, path: Path) -> tuple[int, str]:
    check_columns(table, path)
    return parquet_files.metadata(path).num_rows, parquet.digest(path)
