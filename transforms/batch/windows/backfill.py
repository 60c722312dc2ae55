"""Bring one windowed table up to date: the tiles of days that changed, then the rows that depend on them.

Every file carries a fingerprint of what it was computed from. A run makes anew what no longer fits, closes the rows
that no event asks for any more, and leaves the rest; it can be killed at any moment and run again. Rows are due by the
clock: those of moments up to now are made, whenever the last event was. Memory is bounded by a chunk of days; where the
tiles of the longest window alone are more than that, keys are taken in groups.
"""

import shutil
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from feature_repo.clock import microseconds
from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from feature_repo.windows import WindowedTable
from feature_repo.windows.table import DAY, HOUR
from transforms import feature_tables, parquet
from transforms.batch import closings, versions
from transforms.batch.report import ViewReport
from transforms.batch.windows import calendar, rows, tiles
from transforms.batch.windows.calendar import ONE_DAY, by_day, chunks, date_of, micros
from transforms.batch.windows.file_index import KnownFile, known_files
from transforms.batch.windows.tile_store import TileStore, digest
from transforms.raw.days import RawDays

if TYPE_CHECKING:
    from feast import FeatureView

CHUNK_LIVE = 300_000
"""So many events at the most where each has a row, with its lists."""


def backfill(
    home: Home,
    table: WindowedTable,
    view: "FeatureView",
    days: RawDays,
    now: datetime,
    *,
    progress: Progress = silent,
) -> ViewReport:
    """Tiles and rows of one table.

    Args:
        home: the data folder.
        table: the declaration.
        view: its Feast view.
        days: the raw table of its source.
        now: rows of later moments are not due.
        progress: told after each chunk.
    """
    started = time.perf_counter()
    run = _Run(home, table, view, days, now)
    run.tiles.update(progress, now=now)
    rebuilt, removed = run.write_rows(progress)
    closings.close(home, view, now, since=str(min(rebuilt)) if rebuilt else None)
    total = sum(file.rows for file in run.known().values())
    return ViewReport(total, len(run.wanted), rebuilt, removed, time.perf_counter() - started)


@dataclass
class _Used:
    """What the rows of one day are computed from: tiles of some days, and for live tables events of the newest two."""

    tiles: list[date]
    events: list[date]


class _Run:
    def __init__(self, home: Home, table: WindowedTable, view: "FeatureView", days: RawDays, now: datetime) -> None:
        self.home, self.table, self.view, self.days, self.now = home, table, view, days, now
        self.tiles = TileStore(home, table, days)
        self.end = microseconds(now) - microseconds(now) % table.unit
        self.today = date_of(self.end)
        self.before = self.known()
        self.wanted = self._wanted()
        self.used = {day: self._used(day) for day in self.wanted}
        self.told = {day: f"{day} {fingerprint}" for day, fingerprint in self.tiles.fingerprints.items()}

    def known(self) -> dict[str, KnownFile]:
        """Date → the rows that are there."""
        return known_files(self.home.features(self.table.name), parquet.PART)

    # Rows

    def _wanted(self) -> list[date]:
        """Days at which there may be rows, oldest first: of events that come in or leave, and those that have some."""
        found = {date.fromisoformat(day) for day, file in self.before.items() if file.rows}
        for day in self.days.paths:
            first, last = micros(day), micros(day) + DAY - 1
            moments = [
                (first - first % self.table.unit + self.table.unit, last - last % self.table.unit + self.table.unit)
            ]
            moments += [(w.leaves(first), w.leaves(last)) for w in self.table.spans if not w.is_lifetime]
            for begin, end in moments:
                found |= {date_of(at) for at in range(begin - begin % DAY, end + 1, DAY)}
        return sorted(day for day in found if day <= self.today)

    def _used(self, day: date) -> _Used:
        first = micros(day)
        reach = date_of(first - self.table.reach - DAY if self.table.is_live else first - self.table.reach)
        if not self.table.is_live:
            return _Used(self.days.between(reach, day + (ONE_DAY if self.table.unit < DAY else timedelta())), [])
        recent = day - ONE_DAY
        return _Used(self.days.between(reach, recent), self.days.between(recent, day + ONE_DAY))

    def _fingerprint(self, day: date) -> str:
        used = self.used[day]
        known = [self.told[one] for one in (*used.tiles, *used.events)]
        ends = f"up to {self.end - self.end % self._step}" if self.end < micros(day) + DAY - self.table.unit else ""
        return digest(self.tiles.code, self.tiles.chain_before(day) if self.table.remembers else "", ends, *known)

    @property
    def _step(self) -> int:
        """Between moments of one day at which rows fall due without an event."""
        return min((window.hop for window in self.table.spans if not window.is_lifetime), default=HOUR)

    def write_rows(self, progress: Progress) -> tuple[list[date], int]:
        wanted = {day: self._fingerprint(day) for day in self.wanted}
        orphans = {day for day, file in self.before.items() if not file.rows} - {str(day) for day in wanted}
        stale = [
            day
            for day, fingerprint in wanted.items()
            if (file := self.before.get(str(day))) is None or file.inputs != fingerprint
        ]
        done = 0
        needs = [(day, {*self.used[day].tiles, *self.used[day].events}) for day in stale]
        with parquet.behind() as behind:
            for chunk in chunks(needs, self.days, CHUNK_LIVE if self.table.is_live else calendar.CHUNK_EVENTS):
                parts = by_day(self._rows(chunk), pl.col("event_timestamp").dt.timestamp("us"))
                behind(partial(self._write, {day: wanted[day] for day in chunk}, parts))
                done += len(chunk)
                progress(len(stale) / 2 + done / 2, max(len(stale), 1), self.table.name)
        for orphan in orphans:
            shutil.rmtree(self.home.features(self.table.name) / f"date={orphan}")
        return stale, len(orphans)

    def _write(self, inputs: dict[date, str], parts: dict[date, pl.DataFrame]) -> None:
        nothing = pl.DataFrame(schema=feature_tables.schema(self.view))
        for day, fingerprint in inputs.items():
            made = versions.Made(fingerprint, self.tiles.code, self.now)
            versions.write(self.home, self.view, parts.get(day, nothing), made, date=str(day))

    def _rows(self, chunk: list[date]) -> pl.DataFrame:
        """The rows of some days, as the view has them."""
        first = micros(chunk[0])
        stop = min(micros(chunk[-1]) + DAY, self.end + 1)
        used = _Used(
            sorted({day for one in chunk for day in self.used[one].tiles}),
            sorted({day for one in chunk for day in self.used[one].events}),
        )
        used.tiles = [day for day in used.tiles if day not in set(used.events)]
        sets, since = [], None
        if self.table.remembers:
            month = date_of(first - self.table.reach - 2 * DAY).replace(day=1)
            since = micros(month)
            sets.append(self.tiles.past(month))
            last = min(used.events) if used.events else chunk[-1] + ONE_DAY
            used.tiles = [day for day in self.days.between(month, last) if day not in set(used.events)]
        sets.append(self.tiles.read(used.tiles))
        if used.events:
            sets.append(tiles.tiles(self.table, self.tiles.events(used.events), self.table.unit))
        together = {name: pl.concat([part[name].select(sets[0][name].columns) for part in sets]) for name in sets[0]}
        groups = -(-max(frame.height for frame in together.values()) // (2 * calendar.CHUNK_EVENTS))
        if groups <= 1:
            return feature_tables.conform(self.view, rows.rows(self.table, together, first, stop, since), in_order=True)
        group = pl.struct(self.table.keys).hash() % groups
        pieces = (
            rows.rows(self.table, {n: f.filter(group == number) for n, f in together.items()}, first, stop, since)
            for number in range(groups)
        )
        return feature_tables.conform(self.view, pl.concat(pieces))
