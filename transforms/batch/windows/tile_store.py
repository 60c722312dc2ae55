"""Tiles of one windowed table on disk: one folder a day, and the past summed up by month for tables that remember."""

import hashlib
import inspect
import shlex
import shutil
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs

from feature_repo import retractions
from feature_repo.clock import microseconds
from feature_repo.command_line import Progress, silent
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.windows import WindowedTable
from feature_repo.windows.table import DAY, HOUR
from transforms import feature_tables, parquet
from transforms.batch.windows import decayed, distinct, expressions, items, last_n, lists, rows, tiles, top_k
from transforms.batch.windows.calendar import chunks, date_of, micros
from transforms.batch.windows.file_index import KnownFile, known_files
from transforms.batch.windows.items import order_of, runs
from transforms.raw import TABLES
from transforms.raw.days import RawDays
from transforms.raw.left_out import LeftOut

CODE = "refrain.code"
"""Key of a file's metadata: fingerprint of declaration and code."""


@cache
def _code() -> str:
    """Fingerprint of the code that makes tiles and rows."""
    modules = (decayed, distinct, expressions, items, last_n, lists, rows, tiles, top_k)
    return digest(*(inspect.getsource(module) for module in modules))


def digest(*words: str) -> str:
    """Of some texts together."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _in_codes(events: pl.DataFrame) -> pl.DataFrame:
    """Texts as places in the order of their letters: grouping and sorting those is faster."""
    texts = [name for name, dtype in events.schema.items() if dtype == pl.String]
    words = {name: events[name].unique().drop_nulls().sort() for name in texts}
    return events.with_columns(pl.col(name).cast(pl.Enum(words[name])) for name in texts)


def _numbers(values: pl.Series) -> np.ndarray:
    """(n,) integers from 0 in the order of the values."""
    if isinstance(values.dtype, pl.Enum):
        return values.to_physical().to_numpy().astype(np.int64)
    found = values.to_numpy()
    return found - found.min(initial=0)


def _read(paths: list[Path]) -> pl.DataFrame:
    """Files of tiles together.

    Raises:
        StoreError: one is damaged; its folder is made anew once it is gone.
    """
    try:
        return pl.read_parquet(paths, hive_partitioning=False, glob=False)
    except parquet.UNREADABLE as error:
        for path in paths:
            try:
                pl.read_parquet(path, hive_partitioning=False, glob=False)
            except parquet.UNREADABLE as this:
                raise StoreError(
                    expected=f"whole tiles at {path}",
                    found=(str(this).splitlines() or ["nothing"])[0],
                    next_command=f"rm -r {shlex.quote(str(path.parent))} && python -m transforms build",
                ) from error
        raise


def _in_texts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(cs.enum().cast(pl.String))


class TileStore:
    """Tiles of one table, each with a fingerprint of the events that it was made of.

    Args:
        home: the data folder.
        table: the declaration.
        days: the raw table of its source.

    Attributes:
        code: fingerprint of the declaration and of the code.
        fingerprints: day → fingerprint of its tiles.
    """

    def __init__(self, home: Home, table: WindowedTable, days: RawDays) -> None:
        self.home, self.table, self.days = home, table, days
        self.folder = home.tiles(table.name)
        self.code = digest(_code(), table.fingerprint)
        self.fingerprints = {day: digest(self.code, found) for day, found in days.digests.items()}
        self._nothing = tiles.empty(table)
        self._chain = self._chained()

    @property
    def width(self) -> int:
        """Of the tiles in Parquet: a live table looks at single events within the newest two days only."""
        if not self.table.is_live:
            return self.table.unit
        return min((window.hop for window in self.table.spans if window.width > DAY), default=HOUR)

    def update(self, progress: Progress = silent, *, now: datetime) -> None:
        """Make the tiles of days that changed, remove those of days that are gone, and note keys that lost events.

        Args:
            progress: told after each chunk.
            now: the moment of the run.
        """
        known = known_files(self.folder, "sums.parquet")
        for day in known.keys() - {str(day) for day in self.fingerprints}:
            self._note_losses(date.fromisoformat(day), self._nothing["sums"], now)
            shutil.rmtree(self.folder / f"date={day}")
        stale = [
            day
            for day, fingerprint in self.fingerprints.items()
            if (file := known.get(str(day))) is None or file.inputs != fingerprint
        ]
        if self._declared_before(known) not in (None, self.code):  # the stream may have counted what no tile holds
            self._note(self._told(stale), now)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._declared.write_text(self.code)
        done = 0
        with parquet.behind() as behind:
            for chunk in chunks([(day, {day}) for day in stale], self.days):
                made = tiles.tiles(self.table, _in_codes(self.events(chunk)), self.width)
                parts = {name: self._by_day(frame) for name, frame in made.items()}
                behind(partial(self._write, chunk, parts, now))
                done += len(chunk)
                progress(done / 2, max(len(stale), 1), self.table.name)

    def _write(self, chunk: list[date], parts: dict[str, dict[date, pl.DataFrame]], now: datetime) -> None:
        for day in chunk:
            self._note_losses(day, parts["sums"].get(day, self._nothing["sums"]), now)
            for name in reversed(parts):  # the sums, which tell that a day is done, come last
                rows_of_day = parts[name].get(day, self._nothing[name])
                path = self.folder / f"date={day}" / f"{name}.parquet"
                metadata = {feature_tables.INPUTS: self.fingerprints[day], CODE: self.code}
                parquet.write_whole(rows_of_day, path, metadata=metadata)

    def _note_losses(self, day: date, sums: pl.DataFrame, now: datetime) -> None:
        """Note the keys whose newest event of a tile is gone, of days that are over those that count more or fewer,
        and those of tellings that gave way to others: the stream may have told the world otherwise. ``sums`` are the
        tiles of the day from now on.
        """
        raw = TABLES[self.table.source.name]
        left_out = LeftOut(raw, self.home.raw(raw.name) / f"date={day}")
        if left_out.has_rows:
            self._note(self._given_way(day, left_out.read()), now)
        path = self._file(day)
        if not path.is_file():
            return
        tile = [*self.table.keys, "at"]
        try:
            before = pl.read_parquet(path, columns=[*tile, "last", "n"], glob=False, hive_partitioning=False)
        except (pl.exceptions.PolarsError, OSError):  # damaged, or of other keys
            return
        after = sums.select(*tile, pl.col("last").alias("last:now"), pl.col("n").alias("n:now"))
        is_new = parquet.metadata(path).get(CODE, self.code) != self.code  # another declaration: of every key
        is_over = is_new or day < now.date()
        beside = before.join(after, on=tile, how="full" if is_over else "left", coalesce=True)
        is_other = pl.col("last:now").is_null() | (pl.col("last:now") < pl.col("last"))
        if is_over:
            is_other |= pl.col("n").ne_missing(pl.col("n:now"))
        self._note(beside if is_new else beside.filter(is_other), now)

    def _note(self, rows: pl.DataFrame, now: datetime) -> None:
        """Note the keys of some rows as those that may have lost events."""
        if rows.height:
            keys = rows.select(self.table.keys).drop_nulls()
            retractions.note(self.home, self.table.name, keys, microseconds(now))

    def _file(self, day: date) -> Path:
        return self.folder / f"date={day}" / "sums.parquet"

    @property
    def _declared(self) -> Path:
        """The code by which tiles were last made, or by which the stream counted where there were none."""
        return self.folder / ".code"

    def _declared_before(self, known: dict[str, KnownFile]) -> str | None:
        if self._declared.is_file():
            return self._declared.read_text()
        return parquet.metadata(self._file(date.fromisoformat(max(known)))).get(CODE) if known else None

    def _told(self, days: list[date]) -> pl.DataFrame:
        """The events of some days, whether they count or not."""
        shared = self.table.source.shared
        return self._shared(self.days.load(days, [key for key in self.table.keys if key not in shared]))

    def _shared(self, events: pl.DataFrame) -> pl.DataFrame:
        """Events with the columns that all of them share."""
        return events.with_columns(pl.lit(self.home.tenant).alias(name) for name in self.table.source.shared)

    def _given_way(self, day: date, left_out: pl.DataFrame) -> pl.DataFrame:
        """Tellings of events that do not stand; no tile may ever have counted them."""
        if day in self.days.paths:
            words = [name for name in left_out.columns if name != "created_timestamp"]
            standing = self.days.load([day], [name for name in words if name != "event_timestamp"])
            left_out = left_out.join(standing, on=words, how="anti", nulls_equal=True)
        return self._shared(left_out)

    def _by_day(self, frame: pl.DataFrame) -> dict[date, pl.DataFrame]:
        """Tiles of each day, in the order of key, time and value."""
        columns = [*self.table.keys, "at", *(name for name in ("value", "last") if name in frame.columns)]
        day = (frame["at"] // DAY).to_numpy()
        order = order_of(day - day.min(initial=0), *(_numbers(frame[name]) for name in columns))
        in_order, day = _in_texts(frame[order]), day[order]
        first, length = runs(day)
        return {
            date_of(int(day[place]) * DAY): in_order.slice(place, rows_of_day)
            for place, rows_of_day in zip(first.tolist(), length.tolist(), strict=True)
        }

    def events(self, days: list[date]) -> pl.DataFrame:
        """The events of some days that count, see ``tiles.counted``."""
        columns = [name for name in self.table.columns if name not in self.table.source.shared]
        return tiles.counted(self.table, self.days.load(days, columns), self.home.tenant)

    def read(self, days: list[date]) -> dict[str, pl.DataFrame]:
        """Tiles of some days together."""
        found = {}
        for name, none in self._nothing.items():
            paths = [self.folder / f"date={day}" / f"{name}.parquet" for day in days]
            found[name] = _read(paths).select(none.columns) if paths else none
        return found

    def past(self, month: date) -> dict[str, pl.DataFrame]:
        """Everything before a month, summed up; kept in a file of its own."""
        folder = self.folder / f"before={month:%Y-%m}"
        fingerprint = self.chain_before(month)
        if parquet.metadata(folder / "sums.parquet").get(feature_tables.INPUTS) == fingerprint:
            return {name: _read([folder / f"{name}.parquet"]) for name in self._nothing}
        months = sorted({day.replace(day=1) for day in self.days.paths if day < month})
        if not months:
            return self._nothing
        before = self.past(months[-1])
        recent = self.read(self.days.between(months[-1], month))
        made = tiles.merged(self.table, [before, recent], micros(month) - self.table.unit)
        for name in reversed(made):
            metadata = {feature_tables.INPUTS: fingerprint}
            parquet.write_whole(made[name], folder / f"{name}.parquet", metadata=metadata)
        return made

    def _chained(self) -> dict[date, str]:
        chain, before = {}, self.code
        for day in sorted(self.fingerprints):
            before = chain[day] = digest(before, str(day), self.fingerprints[day])
        return chain

    def chain_before(self, day: date) -> str:
        """Fingerprint of all events before a day."""
        return self._chain.get(max((known for known in self._chain if known < day), default=date.min), self.code)
