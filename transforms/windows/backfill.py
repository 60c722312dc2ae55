"""Bring one windowed table up to date: the tiles of days that changed, then the rows that depend on them.

Every file carries a fingerprint of what it was computed from. A run makes anew what no longer fits, removes what no
day asks for any more, and leaves the rest; it can be killed at any moment and run again. Memory is bounded by a chunk
of days; where the tiles of the longest window alone are more than that, keys are taken in groups.
"""

import hashlib
import inspect
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from feature_repo.windows import WindowedTable
from feature_repo.windows.table import DAY, HOUR
from transforms import feature_tables, parquet
from transforms.raw.days import RawDays
from transforms.report import ViewReport
from transforms.windows import decayed, distinct, expressions, items, last_n, lists, rows, tiles, top_k, versions

if TYPE_CHECKING:
    from feast import FeatureView

CHUNK_DAYS = 31
CHUNK_EVENTS = 4_000_000
"""A chunk of work ends at so many days or events, whichever comes first."""

CHUNK_LIVE = 300_000
"""So many events at the most where each has a row, with its lists."""

_ONE_DAY = timedelta(days=1)


def backfill(
    home: Home, table: WindowedTable, view: "FeatureView", days: RawDays, *, progress: Progress = silent
) -> ViewReport:
    """Tiles and rows of one table.

    Args:
        home: the data folder.
        table: the declaration.
        view: its Feast view.
        days: the raw table of its source.
        progress: told after each chunk.
    """
    started = time.perf_counter()
    run = _Run(home, table, view, days)
    run.write_tiles(progress)
    rebuilt, removed = run.write_rows(progress)
    total = sum(pq.read_metadata(path).num_rows for path in home.features(table.name).rglob(parquet.PART))
    return ViewReport(total, len(run.wanted), rebuilt, removed, time.perf_counter() - started)


@cache
def _code() -> str:
    """Fingerprint of the code that makes tiles and rows."""
    modules = (decayed, distinct, expressions, items, last_n, lists, rows, tiles, top_k)
    return _digest(*(inspect.getsource(module) for module in modules))


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


@dataclass
class _Used:
    """What the rows of one day are computed from: tiles of some days, and for live tables events of the newest two."""

    tiles: list[date]
    events: list[date]


class _Run:
    def __init__(self, home: Home, table: WindowedTable, view: "FeatureView", days: RawDays) -> None:
        self.home, self.table, self.view, self.days = home, table, view, days
        self.folder = home.tiles(table.name)
        self.code = _digest(_code(), table.fingerprint)
        self.fingerprints = {day: _digest(self.code, digest) for day, digest in days.digests.items()}
        self.horizon = max(days.paths) + _ONE_DAY
        self.wanted = self._wanted()
        self.used = {day: self._used(day) for day in self.wanted}
        self._nothing = tiles.empty(table)
        self._chain = self._chained()

    # Tiles

    @property
    def width(self) -> int:
        """Of the tiles in Parquet: a live table looks at single events within the newest two days only."""
        if not self.table.is_live:
            return self.table.unit
        return min((window.hop for window in self.table.spans if window.width > DAY), default=HOUR)

    def write_tiles(self, progress: Progress) -> None:
        for name, path in parquet.dates(self.folder, "sums.parquet").items():
            if date.fromisoformat(name) not in self.fingerprints:
                shutil.rmtree(path.parent)
        stale = [
            day
            for day, fingerprint in self.fingerprints.items()
            if self._inputs(self.folder / f"date={day}" / "sums.parquet") != fingerprint
        ]
        done = 0
        for chunk in _chunks([(day, {day}) for day in stale], self.days):
            made = tiles.tiles(self.table, self._events(chunk), self.width)
            parts = {name: _by_day(frame.sort(self._order(frame))) for name, frame in made.items()}
            for day in chunk:
                for name in reversed(made):  # the sums, which tell that a day is done, come last
                    rows_of_day = parts[name].get(day, made[name].clear())
                    path = self.folder / f"date={day}" / f"{name}.parquet"
                    metadata = {feature_tables.INPUTS: self.fingerprints[day]}
                    parquet.write_whole(rows_of_day, path, metadata=metadata)
            done += len(chunk)
            progress(done / 2, max(len(stale), 1), self.table.name)

    def _order(self, frame: pl.DataFrame) -> list[str]:
        return [*self.table.keys, "at", *(name for name in ("value", "last") if name in frame.columns)]

    def _events(self, days: list[date]) -> pl.DataFrame:
        columns = [name for name in self.table.columns if name not in self.table.source.shared]
        return tiles.counted(self.table, self.days.load(days, columns), self.home.tenant)

    def _read(self, days: list[date]) -> dict[str, pl.DataFrame]:
        """Tiles of some days together."""
        found = {}
        for name, none in self._nothing.items():
            paths = [self.folder / f"date={day}" / f"{name}.parquet" for day in days]
            found[name] = (
                pl.read_parquet(paths, hive_partitioning=False, glob=False).select(none.columns) if paths else none
            )
        return found

    # Sums of the past, for tables that remember

    def _past(self, month: date) -> dict[str, pl.DataFrame]:
        """Everything before a month, summed up; kept in a file of its own."""
        folder = self.folder / f"before={month:%Y-%m}"
        fingerprint = self._chain_before(month)
        if self._inputs(folder / "sums.parquet") == fingerprint:
            return {name: pl.read_parquet(folder / f"{name}.parquet", glob=False) for name in self._nothing}
        months = sorted({day.replace(day=1) for day in self.days.paths if day < month})
        if not months:
            return self._nothing
        before = self._past(months[-1])
        recent = self._read(self.days.between(months[-1], month))
        made = tiles.merged(self.table, [before, recent], _micros(month) - self.table.unit)
        for name in reversed(made):
            metadata = {feature_tables.INPUTS: fingerprint}
            parquet.write_whole(made[name], folder / f"{name}.parquet", metadata=metadata)
        return made

    def _chained(self) -> dict[date, str]:
        chain, before = {}, self.code
        for day in sorted(self.fingerprints):
            before = chain[day] = _digest(before, str(day), self.fingerprints[day])
        return chain

    def _chain_before(self, day: date) -> str:
        return self._chain.get(max((known for known in self._chain if known < day), default=date.min), self.code)

    # Rows

    def _wanted(self) -> list[date]:
        """Days at which there may be rows, oldest first."""
        found: set[date] = set()
        for day in self.days.paths:
            first, last = _micros(day), _micros(day) + DAY - 1
            moments = [
                (first - first % self.table.unit + self.table.unit, last - last % self.table.unit + self.table.unit)
            ]
            moments += [(w.leaves(first), w.leaves(last)) for w in self.table.spans if not w.is_lifetime]
            for begin, end in moments:
                found |= {_date(at) for at in range(begin - begin % DAY, end + 1, DAY)}
        return sorted(day for day in found if day <= self.horizon)

    def _used(self, day: date) -> _Used:
        first = _micros(day)
        reach = _date(first - self.table.reach - DAY if self.table.is_live else first - self.table.reach)
        if not self.table.is_live:
            return _Used(self.days.between(reach, day + (_ONE_DAY if self.table.unit < DAY else timedelta())), [])
        recent = day - _ONE_DAY
        return _Used(self.days.between(reach, recent), self.days.between(recent, day + _ONE_DAY))

    def _fingerprint(self, day: date) -> str:
        used = self.used[day]
        known = [f"{one} {self.fingerprints[one]}" for one in (*used.tiles, *used.events)]
        ends = "the end" if day == self.horizon and self.table.unit < DAY else ""
        return _digest(self.code, self._chain_before(day) if self.table.remembers else "", ends, *known)

    def write_rows(self, progress: Progress) -> tuple[list[date], int]:
        folder = self.home.features(self.table.name)
        present = parquet.dates(folder)
        orphans = [path for day, path in present.items() if date.fromisoformat(day) not in set(self.wanted)]
        wanted = {day: self._fingerprint(day) for day in self.wanted}
        stale = [
            day
            for day, fingerprint in wanted.items()
            if self._inputs(folder / f"date={day}" / parquet.PART) != fingerprint
        ]
        done = 0
        needs = [(day, {*self.used[day].tiles, *self.used[day].events}) for day in stale]
        for chunk in _chunks(needs, self.days, CHUNK_LIVE if self.table.is_live else CHUNK_EVENTS):
            made = feature_tables.conform(self.view, self._rows(chunk))
            parts = _by_day(made, pl.col("event_timestamp").dt.timestamp("us"))
            nothing = pl.DataFrame(schema=feature_tables.schema(self.view))
            for day in chunk:
                versions.write(
                    self.home, self.view, parts.get(day, nothing), date=str(day), inputs=wanted[day], code=self.code
                )
            done += len(chunk)
            progress(len(stale) / 2 + done / 2, max(len(stale), 1), self.table.name)
        for path in orphans:
            shutil.rmtree(path.parent)
        return stale, len(orphans)

    def _rows(self, chunk: list[date]) -> pl.DataFrame:
        first = _micros(chunk[0])
        stop = min(_micros(chunk[-1]) + DAY, _micros(self.horizon) + 1)
        used = _Used(
            sorted({day for one in chunk for day in self.used[one].tiles}),
            sorted({day for one in chunk for day in self.used[one].events}),
        )
        used.tiles = [day for day in used.tiles if day not in set(used.events)]
        sets, since = [], None
        if self.table.remembers:
            month = _date(first - self.table.reach - 2 * DAY).replace(day=1)
            since = _micros(month)
            sets.append(self._past(month))
            last = min(used.events) if used.events else chunk[-1] + _ONE_DAY
            used.tiles = [day for day in self.days.between(month, last) if day not in set(used.events)]
        sets.append(self._read(used.tiles))
        if used.events:
            sets.append(tiles.tiles(self.table, self._events(used.events), self.table.unit))
        together = {name: pl.concat([part[name].select(sets[0][name].columns) for part in sets]) for name in sets[0]}
        groups = -(-max(frame.height for frame in together.values()) // (2 * CHUNK_EVENTS))
        if groups <= 1:
            return rows.rows(self.table, together, first, stop, since)
        group = pl.struct(self.table.keys).hash() % groups
        pieces = (
            rows.rows(self.table, {n: f.filter(group == number) for n, f in together.items()}, first, stop, since)
            for number in range(groups)
        )
        return pl.concat(pieces)

    def _inputs(self, path: Path) -> str | None:
        return parquet.metadata(path).get(feature_tables.INPUTS)


def _chunks(needs: list[tuple[date, set[date]]], days: RawDays, most: int | None = None) -> Iterator[list[date]]:
    """Days that are done together; ``most`` events on these days themselves."""
    chunk: list[date] = []
    loaded: set[date] = set()
    most = most or CHUNK_EVENTS
    for day, used in needs:
        grown = loaded | used
        far = bool(chunk) and (day - chunk[-1]).days > CHUNK_DAYS
        own = sum(days.rows.get(one, 0) for one in (*chunk, day))
        full = len(chunk) >= CHUNK_DAYS or own > most or sum(days.rows[one] for one in grown) > CHUNK_EVENTS
        if chunk and (far or full):
            yield chunk
            chunk, grown = [], set(used)
        chunk, loaded = [*chunk, day], grown
    if chunk:
        yield chunk


def _by_day(frame: pl.DataFrame, at: pl.Expr | None = None) -> dict[date, pl.DataFrame]:
    number = (pl.col("at") if at is None else at) // DAY
    parts = frame.with_columns(_day=number).partition_by("_day", as_dict=True, include_key=False)
    return {_date(int(day) * DAY): part for (day,), part in parts.items()}


def _micros(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY


def _date(micros: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).date()
