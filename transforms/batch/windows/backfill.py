"""Backfills one windowed table: rebuilds the tiles of days that changed, then the rows that depend on them.

Every file has a fingerprint of its inputs. A run rebuilds files whose inputs have changed, writes closing rows for rows
that are gone, and leaves all other files; it can be killed at any moment and run again. Rows are due by the clock: a
run computes the rows of all moments up to now, whenever the last event was. Memory is bounded by a chunk of days; if
the tiles of the longest window alone exceed it, keys are processed in groups.

Where events were removed because of their age, windows are whole only from a day on (``Horizons.whole_from``). Of the
moments before it, the newest row of each key is kept alone: nothing entered or left a window since, so it holds the
values of that day.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

import polars as pl

from feature_repo.clock import microseconds
from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from feature_repo.horizon import Horizons
from feature_repo.windows import WindowedTable
from feature_repo.windows.table import DAY, HOUR
from transforms import feature_tables, parquet
from transforms.batch import closings, versions
from transforms.batch.report import ViewReport
from transforms.batch.windows import calendar, rows, tiles
from transforms.batch.windows.calendar import ONE_DAY, by_day, chunks, date_of, micros
from transforms.batch.windows.file_index import KnownFile, known_files, note_files
from transforms.batch.windows.tile_store import TileStore, digest
from transforms.raw.days import RawDays

if TYPE_CHECKING:
    from feast import FeatureView

CHUNK_LIVE = 300_000
"""Most events of a chunk of a live table, in which each event has a row with lists."""


def backfill(
    home: Home,
    table: WindowedTable,
    view: "FeatureView",
    days: RawDays,
    now: datetime,
    *,
    progress: Progress = silent,
) -> ViewReport:
    """Brings the tiles and rows of one table up to date.

    Args:
        home: the data folder.
        table: the declaration.
        view: Feast view of the table.
        days: the raw table of its source.
        now: the moment of the run; rows of later moments are not due.
        progress: called after each chunk.
    """
    started = time.perf_counter()
    run = TableRun(home, table, view, days, now)
    run.tiles.update(progress, now=now)
    rebuilt, removed = run.write_rows(progress)
    closings.close(home, view, now, since=str(min(rebuilt)) if rebuilt else None)
    total = sum(file.rows for file in run.row_files().values())
    return ViewReport(total, len(run.row_days), rebuilt, removed, time.perf_counter() - started)


@dataclass
class _Inputs:
    """Days that the rows of one day need: days of tiles, and for live tables the newest two days of events."""

    tiles: list[date]
    events: list[date]


class TableRun:
    """A run over one table: what its files are to be made of, and what is there."""

    def __init__(self, home: Home, table: WindowedTable, view: "FeatureView", days: RawDays, now: datetime) -> None:
        self.home, self.table, self.view, self.days, self.now = home, table, view, days, now
        self.tiles = TileStore(home, table, days)
        self.end = microseconds(now) - microseconds(now) % table.unit
        self.today = date_of(self.end)
        self.whole_from = Horizons.of(home).whole_from(table) or date.min
        self.before = self.row_files()
        self.row_days = self._row_days()
        self.inputs = {day: self._inputs_of(day) for day in self.row_days}
        self.day_texts = {day: f"{day} {fingerprint}" for day, fingerprint in self.tiles.fingerprints.items()}

    def row_files(self) -> dict[str, KnownFile]:
        """Date → the file of rows that exists."""
        return known_files(self.home.features(self.table.name), parquet.PART)

    # Rows

    def _row_days(self) -> list[date]:
        """Days that may have rows, oldest first: those on which events enter or leave windows, and those with rows."""
        row_days = {date.fromisoformat(day) for day, file in self.before.items() if file.rows}
        for day in self.days.paths:
            first, last = micros(day), micros(day) + DAY - 1
            moments = [
                (first - first % self.table.unit + self.table.unit, last - last % self.table.unit + self.table.unit)
            ]
            moments += [(w.leaves(first), w.leaves(last)) for w in self.table.spans if not w.is_lifetime]
            for begin, end in moments:
                row_days |= {date_of(at) for at in range(begin - begin % DAY, end + 1, DAY)}
        return sorted(day for day in row_days if day <= self.today)

    def _inputs_of(self, day: date) -> _Inputs:
        first = micros(day)
        reach = date_of(first - self.table.reach - DAY if self.table.is_live else first - self.table.reach)
        if not self.table.is_live:
            return _Inputs(self.days.between(reach, day + (ONE_DAY if self.table.unit < DAY else timedelta())), [])
        recent = day - ONE_DAY
        return _Inputs(self.days.between(reach, recent), self.days.between(recent, day + ONE_DAY))

    @cached_property
    def _first_rows(self) -> str:
        """Fingerprint of the rows before the first day on which all windows are whole."""
        days = [self.day_texts[day] for day in self.days.between(date.min, self.whole_from)]
        return digest(self.tiles.code, f"newest before {self.whole_from}", *days)

    def fingerprint(self, day: date) -> str:
        """Fingerprint of the inputs of the rows of a day."""
        if day < self.whole_from:
            return self._first_rows
        inputs = self.inputs[day]
        day_texts = [self.day_texts[input_day] for input_day in (*inputs.tiles, *inputs.events)]
        end_text = (
            f"up to {self.end - self.end % self._shortest_hop}"
            if self.end < micros(day) + DAY - self.table.unit
            else ""
        )
        return digest(
            self.tiles.code, self.tiles.chain_before(day) if self.table.remembers else "", end_text, *day_texts
        )

    @property
    def _shortest_hop(self) -> int:
        """Microseconds between the moments of a day at which rows may fall due without an event."""
        return min((window.hop for window in self.table.spans if not window.is_lifetime), default=HOUR)

    def write_rows(self, progress: Progress) -> tuple[list[date], int]:
        """Writes the rows of days whose inputs changed; returns these days, and the number of days that are removed."""
        fingerprints = {day: self.fingerprint(day) for day in self.row_days}
        orphans = {day for day, file in self.before.items() if not file.rows} - {str(day) for day in fingerprints}
        stale = [
            day
            for day, fingerprint in fingerprints.items()
            if (file := self.before.get(str(day))) is None or file.inputs != fingerprint
        ]
        days_done = 0
        if any(day < self.whole_from for day in stale):
            self._write_first(fingerprints)
        whole = [day for day in stale if day >= self.whole_from]
        with parquet.write_behind() as submit:
            for chunk in self._chunks(whole):
                parts = by_day(self._rows(chunk), pl.col("event_timestamp").dt.timestamp("us"))
                submit(partial(self._write, {day: fingerprints[day] for day in chunk}, parts))
                days_done += len(chunk)
                progress(len(stale) / 2 + days_done / 2, max(len(stale), 1), self.table.name)
        for orphan in orphans:
            shutil.rmtree(self.home.features(self.table.name) / f"date={orphan}")
        return stale, len(orphans)

    def _chunks(self, days: list[date]) -> Iterator[list[date]]:
        needs = [(day, {*self.inputs[day].tiles, *self.inputs[day].events}) for day in days]
        return chunks(needs, self.days, CHUNK_LIVE if self.table.is_live else calendar.CHUNK_EVENTS)

    def _write_first(self, fingerprints: dict[date, str]) -> None:
        """Writes the newest row of each key before the first day on which all windows are whole."""
        days = {day: inputs for day, inputs in fingerprints.items() if day < self.whole_from}
        newest = feature_tables.conform(self.view, pl.DataFrame(schema=feature_tables.schema(self.view)))
        for chunk in self._chunks(list(days)):
            newest = pl.concat([newest, self._rows(chunk)]).sort("event_timestamp", maintain_order=True)
            newest = newest.unique(list(self.table.keys), keep="last", maintain_order=True)
        newest = feature_tables.conform(self.view, newest)
        self._write(days, by_day(newest, pl.col("event_timestamp").dt.timestamp("us")))

    def _write(self, inputs: dict[date, str], parts: dict[date, pl.DataFrame]) -> None:
        origins = {str(day): versions.Origin(value, self.tiles.code, self.now) for day, value in inputs.items()}
        heights = versions.write_days(self.home, self.view, {str(day): rows for day, rows in parts.items()}, origins)
        written = {day: KnownFile(origins[day].inputs, height) for day, height in heights.items()}
        note_files(self.home.features(self.table.name), parquet.PART, written)

    def _rows(self, chunk: list[date]) -> pl.DataFrame:
        """Computes the rows of a chunk of days in the view's schema."""
        first = micros(chunk[0])
        stop = min(micros(chunk[-1]) + DAY, self.end + 1)
        inputs = _Inputs(
            sorted({day for row_day in chunk for day in self.inputs[row_day].tiles}),
            sorted({day for row_day in chunk for day in self.inputs[row_day].events}),
        )
        of_events = set(inputs.events)
        inputs.tiles = [day for day in inputs.tiles if day not in of_events]
        tile_sets, since = [], None
        if self.table.remembers:
            month = date_of(first - self.table.reach - 2 * DAY).replace(day=1)
            since = micros(month)
            tile_sets.append(self.tiles.past(month))
            last = min(inputs.events) if inputs.events else chunk[-1] + ONE_DAY
            inputs.tiles = [day for day in self.days.between(month, last) if day not in of_events]
        tile_sets.append(self.tiles.read(inputs.tiles))
        if inputs.events:
            tile_sets.append(tiles.tiles(self.table, self.tiles.events(inputs.events), self.table.unit))
        tile_set = {
            name: pl.concat([part_set[name].select(tile_sets[0][name].columns) for part_set in tile_sets])
            for name in tile_sets[0]
        }
        groups = -(-max(frame.height for frame in tile_set.values()) // (2 * calendar.CHUNK_EVENTS))
        if groups <= 1:
            return feature_tables.conform(self.view, rows.rows(self.table, tile_set, first, stop, since), in_order=True)
        group = pl.struct(self.table.keys).hash() % groups
        pieces = (
            rows.rows(self.table, {n: f.filter(group == number) for n, f in tile_set.items()}, first, stop, since)
            for number in range(groups)
        )
        return feature_tables.conform(self.view, pl.concat(pieces))
