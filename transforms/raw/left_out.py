"""What raw tables leave out, kept beside them: it says nothing now, and may say something once more is told.

Of an event told twice one telling stands; of a thing that changes slowly a state that was there already says nothing
new. What was told in between may come later: then the repetition is a change. So every telling is kept, in files
that nobody reads but who stores more: of events one in the folder of their day, of things that change slowly one for
each month.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from transforms import parquet
from transforms.raw.table import RawTable

FILE = "part-0.left-out"
"""Parquet, under a name that nobody takes for the table."""
_REMEDY = "python -m transforms import …  (every source of that time)"


@dataclass(frozen=True)
class LeftOut:
    """Rows that one table leaves out.

    Attributes:
        table: of which they are.
        folder: of the day, or of the whole table if it changes slowly.
    """

    table: RawTable
    folder: Path

    @property
    def has_rows(self) -> bool:
        """Whether an event of this day was ever told more than once."""
        return (self.folder / FILE).is_file()

    def read(self, since: datetime | None = None) -> pl.DataFrame:
        """The rows of things that change slowly from a moment on, and those of events; all if None.

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

    def read_of(self, rows: pl.DataFrame, since: datetime | None = None) -> pl.DataFrame:
        """What ``read`` gives of the events and things that some rows are of. What somebody removed from the table
        stays removed, such as a person who asked for it.

        Args:
            rows: those that stand, and new ones.
            since: as for ``read``.
        """
        key = list(self.table.key)
        left_out = self.read(since)
        return left_out.join(rows.select(key), on=key, how="semi") if left_out.height else left_out

    def add(self, rows: pl.DataFrame) -> None:
        """Keep rows beside those that are there, each once. None is ever taken away: what stands now was left out
        before, and a run that is killed in the middle has lost nothing.
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
            together = part if before is None else pl.concat([before, part], how="diagonal").select(part.columns)
            times = ["event_timestamp", "created_timestamp"]
            others = [name for name in part.columns if name not in times]
            after = once(together.sort([*times, *others], nulls_last=True))
            if before is None or not after.equals(before):
                parquet.write_whole(after, path)


def once(ordered: pl.DataFrame) -> pl.DataFrame:
    """Rows that lie in an order of all their columns, each once."""
    return ordered.filter(~same_as_before(ordered.columns))


def same_as_before(names: list[str]) -> pl.Expr:
    """Whether the row before has the same values in some columns, of which one at least is never null."""
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in names)


def _month(moment: datetime) -> str:
    return f"month={moment:%Y-%m}"


def _read(path: Path) -> pl.DataFrame:
    return parquet.read_whole(path, remedy=_REMEDY)
