"""The days of a raw table of events: their files, and what they hold."""

import json
import os
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

_KNOWN = ".digests.json"


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
        paths = {date.fromisoformat(day): path for day, path in parquet.dates(folder).items()}
        known = _read(folder / _KNOWN)
        found = {str(day): _state(path, known.get(str(day))) for day, path in paths.items()}
        if found != known and found:
            partial = folder / f".partial-{os.getpid()}-digests.json"  # swept like other halves
            partial.write_text(json.dumps(found))
            partial.replace(folder / _KNOWN)
        return cls(
            paths,
            {day: found[str(day)]["rows"] for day in paths},
            {day: found[str(day)]["digest"] for day in paths},
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


def _state(path: Path, known: dict | None) -> dict:
    stat = path.stat()
    seen = {"size": stat.st_size, "changed": stat.st_mtime_ns}
    if known and {name: known[name] for name in seen} == seen:
        return known
    return {**seen, "rows": pq.read_metadata(path).num_rows, "digest": parquet.digest(path)}


def _read(path: Path) -> dict[str, dict]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
