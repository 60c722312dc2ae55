"""Tiles of one windowed table on disk: a folder for each day, and merged past tiles for tables that remember."""

import hashlib
import inspect
import shlex
import shutil
from bisect import bisect_left
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs

from feature_repo.command_line import Progress, silent
from feature_repo.encryption import parquet_files
from feature_repo.errors import StoreError
from feature_repo.home import Home
from feature_repo.windows import WindowedTable, units
from feature_repo.windows.table import DAY, HOUR
from transforms import feature_tables, parquet
from transforms.batch.versions import CODE
from transforms.batch.windows import (
    decayed,
    distinct,
    enriched,
    expressions,
    items,
    last_n,
    lists,
    quantile,
    rows,
    tiles,
    top_k,
    wide,
)
from transforms.batch.windows.calendar import chunks, date_of, micros
from transforms.batch.windows.enriched import Dimensions
from transforms.batch.windows.file_index import KnownFile, known_files, note_files
from transforms.batch.windows.items import runs, sort_order
from transforms.batch.windows.lost_events import LostEvents
from transforms.day_frames import DayFrames
from transforms.raw.days import RawDays


@cache
def _code() -> str:
    """Fingerprint of the code that computes tiles and rows."""
    modules = (
        units,
        decayed,
        distinct,
        enriched,
        expressions,
        items,
        last_n,
        lists,
        quantile,
        rows,
        tiles,
        top_k,
        wide,
    )
    return digest(*(inspect.getsource(module) for module in modules))


def digest(*texts: str) -> str:
    """SHA-256 digest of some texts together."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _encode_texts(events: pl.DataFrame) -> pl.DataFrame:
    """Encodes text columns as enums in alphabetical order, which group and sort faster."""
    texts = [name for name, dtype in events.schema.items() if dtype == pl.String]
    words = {name: events[name].unique().drop_nulls().sort() for name in texts}
    return events.with_columns(pl.col(name).cast(pl.Enum(words[name])) for name in texts)


def _numbers(values: pl.Series) -> np.ndarray:
    """(n,) integers from 0 that sort as the values do."""
    if isinstance(values.dtype, pl.Enum):
        return values.to_physical().to_numpy().astype(np.int64)
    integers = values.to_numpy()
    if values.name in ("at", "last"):
        return integers - integers.min(initial=0)
    return np.unique(integers, return_inverse=True)[1]  # of any size, so that differences may not fit


def _read(paths: list[Path]) -> pl.DataFrame:
    """Reads files of tiles and concatenates them.

    Raises:
        StoreError: a file is damaged; its folder is rebuilt once it has been removed.
    """
    try:
        return parquet_files.read(paths, hive_partitioning=False)
    except parquet.UNREADABLE as error:
        for path in paths:
            try:
                parquet_files.read(path, hive_partitioning=False)
            except parquet.UNREADABLE as file_error:
                raise StoreError(
                    expected=f"whole tiles at {path}",
                    found=(str(file_error).splitlines() or ["nothing"])[0],
                    next_command=f"rm -r {shlex.quote(str(path.parent))} && refrain build",
                ) from error
        raise


def _decode_texts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(cs.enum().cast(pl.String))


class TileStore:
    """The tiles of one table, with a fingerprint of each day's events.

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
        self.code = digest(_code(), table.fingerprint, str(self.width))
        self.dimensions = Dimensions.read(home, table)
        self.fingerprints = {day: self._fingerprint(day) for day in days.digests}
        self._lost_events = LostEvents(home, table, days, self.dimensions, self.code)
        self._empty_tiles = tiles.empty(table)
        self._frames = {name: DayFrames() for name in self._empty_tiles}
        self._chain = self._chain_fingerprints()
        self._chained_days = list(self._chain)

    def _fingerprint(self, day: date) -> str:
        taken = [self.dimensions.fingerprint(day)] if self.table.enrich else []
        return digest(self.code, self.days.digests[day], *taken)

    @property
    def width(self) -> int:
        """Width of the tiles in Parquet, microseconds; a live table reads single events of the newest two days.

        Events of the day before leave a window of one day up to the midnight that ends those two days.
        """
        if not self.table.is_live:
            return self.table.unit
        return min((window.hop for window in self.table.spans if window.width >= DAY), default=HOUR)

    def update(self, progress: Progress = silent, *, now: datetime) -> None:
        """Rebuilds the tiles of changed days, removes those of deleted days, and notes keys that lost events.

        Args:
            progress: called after each chunk.
            now: the moment of the run.
        """
        files = known_files(self.folder, "sums.parquet")
        for day in files.keys() - {str(day) for day in self.fingerprints}:
            path = self.file(date.fromisoformat(day))
            self._lost_events.note_day(date.fromisoformat(day), path, self._empty_tiles["sums"], now)
            shutil.rmtree(path.parent)
        stale = [
            day
            for day, fingerprint in self.fingerprints.items()
            if (file := files.get(str(day))) is None or file.inputs != fingerprint
        ]
        if self._code_before(files) not in (None, self.code):  # the stream may have counted events that are in no tile
            self._lost_events.note_all(stale, now)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._code_file.write_text(self.code)
        days_done = 0
        with parquet.write_behind() as submit:
            for chunk in chunks([(day, {day}) for day in stale], self.days):
                tile_set = tiles.tiles(self.table, _encode_texts(self.events(chunk)), self.width)
                parts = {name: self._by_day(frame) for name, frame in tile_set.items()}
                for name, frame in tile_set.items():
                    self._frames[name].add(dict.fromkeys(chunk, _decode_texts(frame.clear())) | parts[name])
                submit(partial(self._write, chunk, parts, now))
                days_done += len(chunk)
                progress(days_done / 2, max(len(stale), 1), self.table.name)

    def _write(self, chunk: list[date], parts: dict[str, dict[date, pl.DataFrame]], now: datetime) -> None:
        for day in chunk:
            self._lost_events.note_day(day, self.file(day), parts["sums"].get(day, self._empty_tiles["sums"]), now)
        metadata = {day: {feature_tables.INPUTS: self.fingerprints[day], CODE: self.code} for day in chunk}
        for name in reversed(parts):  # sums are written last: they mark the day as done
            paths = {day: self.file(day, name) for day in chunk}
            parquet.write_all(
                {path: parts[name].get(day, self._empty_tiles[name]) for day, path in paths.items()},
                {path: metadata[day] for day, path in paths.items()},
            )
        heights = {day: rows.height for day, rows in parts["sums"].items()}
        written = {str(day): KnownFile(self.fingerprints[day], heights.get(day, 0)) for day in chunk}
        note_files(self.folder, "sums.parquet", written)

    @property
    def parts(self) -> list[str]:
        """Names of the files of a day; the sums are written last, and mark the day as done."""
        return list(self._empty_tiles)[::-1]

    def file(self, day: date, name: str = "sums") -> Path:
        """A file of the tiles of a day."""
        return Path(f"{self.folder}/date={day}/{name}.parquet")

    @property
    def _code_file(self) -> Path:
        """File with the code fingerprint of the last run; it exists even if there are no tiles."""
        return self.folder / ".code"

    def _code_before(self, files: dict[str, KnownFile]) -> str | None:
        if self._code_file.is_file():
            return self._code_file.read_text()
        return parquet.metadata(self.file(date.fromisoformat(max(files)))).get(CODE) if files else None

    def _by_day(self, frame: pl.DataFrame) -> dict[date, pl.DataFrame]:
        """Splits tiles by day, each sorted by key, time and value."""
        columns = [*self.table.keys, "at", *(name for name in ("value", "last") if name in frame.columns)]
        day = (frame["at"] // DAY).to_numpy()
        order = sort_order(day - day.min(initial=0), *(_numbers(frame[name]) for name in columns))
        ordered, day = _decode_texts(frame[order]), day[order]
        first, length = runs(day)
        return {
            date_of(int(day[place]) * DAY): ordered.slice(place, rows_of_day)
            for place, rows_of_day in zip(first.tolist(), length.tolist(), strict=True)
        }

    def events(self, days: list[date]) -> pl.DataFrame:
        """The events of some days that the table counts, see ``tiles.counted_events``."""
        events = self.dimensions.enriched(self.days.load(days, list(self.table.reported_columns)))
        return tiles.counted_events(self.table, events, self.home.tenant)

    def read(self, days: list[date]) -> dict[str, pl.DataFrame]:
        """Reads the tiles of some days as one tile set."""
        return {name: self._read_days(name, days) for name in self._empty_tiles}

    def _read_days(self, name: str, days: list[date]) -> pl.DataFrame:
        empty = self._empty_tiles[name]
        frames = self._frames[name].get(days)
        if len(frames) < len(days):
            return _read([self.file(day, name) for day in days]).select(empty.columns)
        return pl.concat(frames.values()).select(empty.columns) if frames else empty

    def past(self, month: date) -> dict[str, pl.DataFrame]:
        """All tiles before a month, merged to one tile for each key; kept in files of their own."""
        folder = self.folder / f"before={month:%Y-%m}"
        fingerprint = self.chain_before(month)
        if parquet.metadata(folder / "sums.parquet").get(feature_tables.INPUTS) == fingerprint:
            return {name: _read([folder / f"{name}.parquet"]) for name in self._empty_tiles}
        months = sorted({day.replace(day=1) for day in self.days.paths if day < month})
        if not months:
            return self._empty_tiles
        before = self.past(months[-1])
        recent = self.read(self.days.between(months[-1], month))
        merged = tiles.merge_tiles(self.table, [before, recent], micros(month) - self.table.unit)
        for name in reversed(merged):
            metadata = {feature_tables.INPUTS: fingerprint}
            parquet.write_whole(merged[name], folder / f"{name}.parquet", metadata=metadata)
        return merged

    def _chain_fingerprints(self) -> dict[date, str]:
        chain, before = {}, self.code
        for day in sorted(self.fingerprints):
            before = chain[day] = digest(before, str(day), self.fingerprints[day])
        return chain

    def chain_before(self, day: date) -> str:
        """Fingerprint of all events before a day."""
        place = bisect_left(self._chained_days, day)
        return self._chain[self._chained_days[place - 1]] if place else self.code
