"""Notes the keys of events that are gone: the stream may have counted these events in rows that are online."""

from datetime import date, datetime
from pathlib import Path

import polars as pl

from feature_repo import retractions
from feature_repo.clock import microseconds
from feature_repo.encryption import parquet_files
from feature_repo.home import Home
from feature_repo.windows import WindowedTable
from transforms import parquet
from transforms.batch.versions import CODE
from transforms.batch.windows.enriched import Dimensions
from transforms.batch.windows.possible import PossibleEvents
from transforms.raw.days import RawDays
from transforms.raw.declared import raw_tables
from transforms.raw.left_out import LeftOut


class LostEvents:
    """Compares the tiles of a day with its new tiles, and notes the keys that may have lost events.

    Args:
        home: the data folder.
        table: the declaration.
        days: the raw table of its source.
        dimensions: the dimensions of the table.
        code: fingerprint of the declaration and of the code.
    """

    def __init__(self, home: Home, table: WindowedTable, days: RawDays, dimensions: Dimensions, code: str) -> None:
        self._home, self._table, self._days, self._code = home, table, days, code
        self._possible = PossibleEvents(home, table, dimensions)

    def note_day(self, day: date, path: Path, sums: pl.DataFrame, now: datetime) -> None:
        """Notes keys of a day, before its tiles are replaced.

        A key is noted if the newest event of one of its tiles is gone; on days that are over, also if a tile counts
        more or fewer events; if a report of one of its events has been superseded by another report; and if it had
        an event with other rows of a dimension.

        Args:
            day: the day.
            path: file of the sums of the day, which may not exist.
            sums: the new tiles of the day.
            now: the moment of the run.
        """
        raw = raw_tables(self._home)[self._table.source.name]
        left_out = LeftOut(raw, self._home.raw(raw.name) / f"date={day}")
        if left_out.has_rows:
            self._note(self._superseded(day, left_out.read()), now)
        if self._table.enrich and day in self._days.paths:
            self._note(self._possible.other_keys(self._load([day])), now)
        if not path.is_file():
            return
        tile = [*self._table.keys, "at"]
        try:
            before = parquet_files.read(path, columns=[*tile, "last", "n"], hive_partitioning=False)
        except (pl.exceptions.PolarsError, OSError):  # damaged, or of other keys
            return
        after = sums.select(*tile, pl.col("last").alias("last:now"), pl.col("n").alias("n:now"))
        is_new = parquet.metadata(path).get(CODE, self._code) != self._code  # another declaration: note every key
        is_over = is_new or day < now.date()
        compared = before.join(after, on=tile, how="full" if is_over else "left", coalesce=True)
        has_changed = pl.col("last:now").is_null() | (pl.col("last:now") < pl.col("last"))
        if is_over:
            has_changed |= pl.col("n").ne_missing(pl.col("n:now"))
        self._note(compared if is_new else compared.filter(has_changed), now)

    def note_all(self, days: list[date], now: datetime) -> None:
        """Notes the keys of all events of some days, whether the table counts them or not."""
        self._note(self._possible.enriched(self._load(days)), now)

    def _note(self, rows: pl.DataFrame, now: datetime) -> None:
        if rows.height:
            keys = rows.select(self._table.keys).drop_nulls()
            retractions.note(self._home, self._table.name, keys, microseconds(now))

    def _superseded(self, day: date, left_out: pl.DataFrame) -> pl.DataFrame:
        """Reports of events that do not stand; tiles may never have counted them."""
        if day in self._days.paths:
            columns = [name for name in left_out.columns if name != "created_timestamp"]
            standing = self._days.load([day], [name for name in columns if name != "event_timestamp"])
            left_out = left_out.join(standing, on=columns, how="anti", nulls_equal=True)
        return self._possible.enriched(self._with_shared(left_out))

    def _load(self, days: list[date]) -> pl.DataFrame:
        """Events of some days, with the columns that their keys follow from."""
        table = self._table
        columns = table.reported_columns if table.enrich else [key for key in table.keys if key in table.source.columns]
        return self._with_shared(self._days.load(days, list(columns)))

    def _with_shared(self, events: pl.DataFrame) -> pl.DataFrame:
        """Events with the columns that all events share."""
        return events.with_columns(pl.lit(self._home.tenant).alias(name) for name in self._table.source.shared)
