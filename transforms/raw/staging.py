"""The accepted rows of an import until they are committed: in memory up to a limit, then in files sorted by day."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from shutil import rmtree

import polars as pl

from feature_repo.encryption import parquet_files
from transforms.raw.by_day import spans, with_day
from transforms.raw.table import RawTable

STAGED_ROWS = 200_000
"""Rows that are held in memory; beyond, all are moved to one file per table."""


@dataclass(frozen=True)
class _Run:
    """Rows sorted by day, in memory or in a file.

    Attributes:
        rows: the rows.
        days: the days among them, ascending.
        starts: (days,) number of each day's first row.
        height: number of rows.
    """

    rows: pl.LazyFrame
    days: list[date]
    starts: list[int]
    height: int

    def between(self, first: date, last: date) -> pl.DataFrame:
        """The rows of the days from ``first`` to ``last``, both included."""
        ends = [*self.starts, self.height]
        start, end = ends[bisect_left(self.days, first)], ends[bisect_right(self.days, last)]
        return self.rows.slice(start, end - start).collect()


class Staging:
    """Rows by table and, for tables of events, by day.

    Args:
        folder: an empty folder for rows that do not stay in memory.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables: dict[str, RawTable] = {}
        self._frames: dict[str, list[pl.DataFrame]] = defaultdict(list)
        self._runs: dict[str, list[_Run]] = defaultdict(list)
        self._rows = self._files = 0

    def add(self, table: RawTable, rows: pl.DataFrame) -> None:
        """Add accepted rows of a table."""
        if rows.is_empty():
            return
        self._tables[table.name] = table
        self._frames[table.name].append(rows)
        self._rows += rows.height
        if self._rows > STAGED_ROWS:
            for name in list(self._frames):
                self._end_run(name, in_memory=False)

    def days(self, table: RawTable) -> dict[date, int]:
        """Counts the staged rows of a table of events by day, oldest first."""
        self._end_run(table.name, in_memory=True)
        counts: dict[date, int] = defaultdict(int)
        for run in self._runs[table.name]:
            for day, start, end in zip(run.days, run.starts, [*run.starts[1:], run.height], strict=True):
                counts[day] += end - start
        return dict(sorted(counts.items()))

    def between(self, table: RawTable, first: date, last: date) -> pl.DataFrame:
        """The staged rows of a table of events from the day ``first`` to ``last``, with their day as ``DAY``."""
        return pl.concat([run.between(first, last) for run in self._runs[table.name]])

    def all(self, table: RawTable) -> pl.DataFrame:
        """All staged rows of a table that changes slowly."""
        self._end_run(table.name, in_memory=True)
        frames = [run.rows.collect() for run in self._runs[table.name]]
        return pl.concat([pl.DataFrame(schema=table.columns), *frames])

    def clear(self) -> None:
        """Forget all rows."""
        self._frames.clear()
        self._runs.clear()
        self._rows = 0
        rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)

    def _end_run(self, name: str, *, in_memory: bool) -> None:
        """Make a run of the rows that were added since the last one."""
        if not (frames := self._frames.pop(name, None)):
            return
        rows = pl.concat(frames)
        days: list[date] = []
        starts: list[int] = []
        if not self._tables[name].changes_slowly:
            rows = with_day(rows)
            day_spans = spans(rows)
            days, starts = list(day_spans), [start for start, _ in day_spans.values()]
        source = rows.lazy()
        if not in_memory:
            path = self._folder / f"{self._files:06}.arrow"
            self._files += 1
            self._rows -= rows.height
            source = _in_file(rows, path)
        self._runs[name].append(_Run(source, days, starts, rows.height))


def _in_file(rows: pl.DataFrame, path: Path) -> pl.LazyFrame:
    """Moves rows to a file: of Arrow, which is the faster one to read in parts, or encrypted where that is on."""
    if parquet_files.is_encrypted_at(path):
        parquet_files.sink(rows.lazy(), path, compression="lz4")
        return parquet_files.scan(path, hive_partitioning=False)
    rows.write_ipc(path)
    return pl.scan_ipc(path, glob=False)


@contextmanager
def staging_in(folder: Path, tenant: str) -> Iterator[Staging]:
    """Yields an empty staging of a tenant whose files are below ``folder``, and removes them at the end."""
    rmtree(folder, ignore_errors=True)
    staging = Staging(folder / f"tenant={tenant}")
    staging.clear()
    try:
        yield staging
    finally:
        rmtree(folder, ignore_errors=True)
