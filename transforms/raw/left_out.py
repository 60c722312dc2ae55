"""Redundant rows of raw tables, kept in files beside them because later rows may make them count.

Of an event that is reported twice, one version is stored in the table, and of a play that several exports report, one
report (``reconcile``). In a table that changes slowly, a row that repeats the current state is redundant. A row with a
time in between may arrive later: then the repetition is a change. So every reported row is kept, in files that only the
writer of the raw table reads: for events one file in the folder of their day, for tables that change slowly one file
per month.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from transforms import parquet
from transforms.raw.table import RawTable

FILE = "part-0.left-out"
"""File name: Parquet, with a suffix that keeps it apart from the files of the table."""
_REMEDY = "refrain import …  (every source of that time)"


@dataclass(frozen=True)
class LeftOut:
    """The redundant rows of one raw table.

    Attributes:
        table: the raw table.
        folder: the folder of the day, or of the whole table if it changes slowly.
    """

    table: RawTable
    folder: Path

    @property
    def has_rows(self) -> bool:
        """Whether an event of this day was reported more than once."""
        return (self.folder / FILE).is_file()

    def read(self, since: datetime | None = None) -> pl.DataFrame:
        """Read the rows that were left out.

        Args:
            since: earliest event time, for a table that changes slowly; all rows if None, and always all of events.

        Raises:
            StoreError: a file is damaged.
        """
        paths = [self.folder / FILE]
        if self.table.changes_slowly:
            paths = sorted(self.folder.glob(f"month=*/{FILE}"))
            if since is not None:
                paths = [path for path in paths if path.parent.name >= _month(since)]
        frames = [_read(path) for path in paths if path.is_file()]
        rows = pl.concat([pl.DataFrame(schema=self.table.columns), *frames], how="diagonal")
        if since is None or not self.table.changes_slowly:
            return rows
        return rows.filter(pl.col("event_timestamp") >= since)

    def read_matching(self, rows: pl.DataFrame, since: datetime | None = None) -> pl.DataFrame:
        """Read the rows that were left out and have a key among ``rows``.

        Rows with other keys stay out, so that what was removed from the table, such as the data of a person who asked
        for erasure, stays removed.

        Args:
            rows: stored and new rows of the table.
            since: earliest event time, as in ``read``.
        """
        key = list(self.table.key)
        left_out = self.read(since)
        return left_out.join(rows.select(key), on=key, how="semi") if left_out.height else left_out

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows to the files, each once.

        No row is ever removed, not even one that the table stores now, so that a run that is killed loses nothing.
        """
        if rows.is_empty():
            return
        parts = {self.folder / FILE: rows}
        if self.table.changes_slowly:
            by_month = rows.with_columns(_month=pl.col("event_timestamp").dt.strftime("month=%Y-%m"))
            months = by_month.partition_by("_month", as_dict=True, include_key=False)
            parts = {self.folder / str(month) / FILE: part for (month,), part in months.items()}
        for path, part in parts.items():
            before = _read(path) if path.is_file() else None
            combined = part if before is None else pl.concat([before, part], how="diagonal").select(part.columns)
            times = ["event_timestamp", "created_timestamp"]
            other_columns = [name for name in part.columns if name not in times]
            after = once(combined.sort([*times, *other_columns], nulls_last=True))
            if before is None or not after.equals(before):
                parquet.write_whole(after, path)


def once(ordered: pl.DataFrame) -> pl.DataFrame:
    """Drop repeated rows from rows that are sorted by all their columns."""
    return ordered.filter(~same_as_before(ordered.columns))


def same_as_before(names: list[str]) -> pl.Expr:
    """Whether the previous row has the same values in the given columns. At least one of them must never be null."""
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in names)


def _month(moment: datetime) -> str:
    return f"month={moment:%Y-%m}"


def _read(path: Path) -> pl.DataFrame:
    return parquet.read_whole(path, remedy=_REMEDY)
