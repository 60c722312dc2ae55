"""The boundary of batch run and stream: loads the state of live tables from raw tables and tiles.

First the events in the stream's log are stored in the raw tables, each once. Then the tiles of the days that changed
are rebuilt. Then the live tables are filled: with the tiles of older days, and with single events of recent days. So no
event is missed or counted twice, whatever the batch run has done meanwhile: an event is in the raw tables or in the
log, and the state is always loaded from both.
"""

import fcntl
from collections.abc import Callable, Iterator
from datetime import date, datetime

import numpy as np
import polars as pl

from feature_repo.clock import microseconds
from feature_repo.contract import contract_of
from feature_repo.errors import OnlineUnavailable
from feature_repo.events import AHEAD, Names
from feature_repo.events import micros as micros_of
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import WRITE_TIMEOUT, open_server
from feature_repo.windows import DecayedSum, EventSource
from feature_repo.windows.table import DAY
from transforms import feature_tables
from transforms.batch.gone_rows import GoneRows
from transforms.batch.windows.calendar import date_of
from transforms.batch.windows.tile_store import TileStore
from transforms.batch.windows.tiles import Tiles, distinct_alone
from transforms.raw.days import RawDays
from transforms.raw.ingest import Batch, ingest
from transforms.raw.left_out import LeftOut
from transforms.raw.read import scan
from transforms.stream.accept import Gate
from transforms.stream.live_state import LiveState
from transforms.stream.log import Log
from transforms.stream.state.additions import Additions, Texts
from transforms.stream.state.live_table import LiveTable
from transforms.stream.state.sums import INT

RECENT = 2 * DAY
"""Span in which live tables need single events, because their hops are shorter than the tiles in Parquet."""

LONGEST_REST = 2 * DAY
"""Longest pause of the reader after which it pushes the rows that fell due meanwhile. After longer pauses, the batch
run is assumed to have put them online.
"""


def archive(home: Home, log: Log) -> int:
    """Stores the events that the stream has logged in the raw tables.

    Returns:
        Number of events.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """

    def store(kind: str) -> Callable[[list[pl.DataFrame]], None]:
        return lambda frames: _ingest(home, kind, frames)

    with (home.ensure().root / ".archive.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # two at once would drop blocks from the log that neither has stored
        return sum(log.drain(kind, store(kind)) for kind in contract_of(home).events)


def archive_if_there(home: Home) -> int | None:
    """Archives as ``archive`` does if there can be a stream; does not start an embedded server for the first time.

    Returns:
        Number of events; None if Redis does not answer.
    """
    address = Address.from_env()
    if address.is_embedded and not home.redis.is_dir():
        return 0
    try:
        return archive(home, Log(open_server(home, address, WRITE_TIMEOUT), Names(home.project), patience=0.0))
    except OnlineUnavailable:
        return None


def _ingest(home: Home, kind: str, frames: list[pl.DataFrame]) -> None:
    ingest(home, "stream", [Batch(kind, pl.concat(frames))], judged=True)


def load(home: Home, log: Log, kind: str, gate: Gate, clock: int, now: datetime) -> LiveState:
    """Loads the state of all live tables of a source.

    Args:
        home: the data folder.
        log: log of the stream.
        kind: kind of the events.
        gate: the gate, which registers the events that may arrive again.
        clock: the stream's clock, microseconds; the state's clock is advanced to the newest event.
        now: the current moment; later events count at the next load.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """
    with feature_tables.writing(home):
        archive(home, log)
        contract = contract_of(home)
        source = contract.events[kind]
        tables = [table for table in contract.windowed.values() if table.source.name == kind]
        state = LiveState(source, tables, home.tenant)
        for dimension in state.dimensions.values():
            dimension.add(_rows(home, dimension.source))
        days = RawDays.of(home, kind)
        stores = {live.table.name: TileStore(home, live.table, days) for live in state.tables}
        for store in stores.values():
            store.update(now=now)
        if days.paths:
            _fill(state, days, stores, gate, log.clock, clock, now)
        else:
            state.advance(clock)
        for live in state.tables:
            _note_closed(home, live, now)
    return state


def _rows(home: Home, source: EventSource) -> Iterator[tuple]:
    """The stored events of a kind: both times in microseconds since 1970, then the columns."""
    times = [pl.col(name).dt.timestamp("us") for name in ("event_timestamp", "created_timestamp")]
    return scan(home, source.name).select(*times, *source.columns).collect().iter_rows()


def _fill(
    state: LiveState,
    days: RawDays,
    stores: dict[str, TileStore],
    gate: Gate,
    log_clock: int,
    clock: int,
    now: datetime,
) -> None:
    """Counts the events: all at once up to the reader's last clock, and from there on by advancing time.

    So rows also fall due for events that left windows while no reader was running.
    """
    newest = days.load([max(days.paths)], [])["event_timestamp"].max()
    start = min(micros_of(newest) + 1, microseconds(now))  # type: ignore[arg-type]
    clock = max(clock, start)
    if start - LONGEST_REST < log_clock < start:
        start = log_clock
    recent = date_of(max(min(clock - gate.lateness, start - RECENT), 0))
    columns = list(state.coder.source.columns)
    recent_days = days.between(recent, date.max)
    rows = days.load(recent_days, columns)
    left_out = [LeftOut(days.table, days.paths[day].parent).read_matching(rows) for day in recent_days]
    times = [pl.col(name).dt.timestamp("us") for name in ("event_timestamp", "created_timestamp")]
    ahead = max(clock, microseconds(now + AHEAD))  # events slightly in the future wait in the state until they are due
    rows = rows.select(*times, *columns).filter(pl.col("event_timestamp") < ahead)
    for frame in (rows, *(frame.select(*times, *columns) for frame in left_out)):
        gate.remember(frame.filter(pl.col("event_timestamp") >= clock - gate.lateness).iter_rows())
    rows = rows.with_columns(created_timestamp=pl.max_horizontal("created_timestamp", pl.lit(microseconds(now))))
    time, created, *values = (rows[name].to_list() for name in rows.columns)
    events = state.coder.events(time, created, dict(zip(columns, values, strict=True)))
    for live in state.tables:
        live.advance(start - start % live.table.unit)
        for part, due in _older_tiles(live, stores[live.table.name], recent):
            live.add(_additions(live, part, due, microseconds(now)))
    state.resume(events, start)
    state.advance(clock)


def _note_closed(home: Home, live: LiveTable, now: datetime) -> None:
    """Notes the event times of a table's closing rows, which may be online."""
    table = live.table
    gone = GoneRows.of_table(home, table.name).read().values()
    if not gone:
        return
    due = pl.concat(gone).filter(pl.col("event_timestamp") <= now)
    newest = due.group_by(table.keys).agg(pl.col("event_timestamp").max().dt.timestamp("us"))
    codes, moments = _keys(live, newest), newest["event_timestamp"].to_numpy()
    order = np.argsort(codes)
    live.note_closed(codes[order], moments[order], microseconds(now))


def _older_tiles(live: LiveTable, store: TileStore, recent: date) -> Iterator[tuple[Tiles, bool]]:
    """Yields the tiles of the days before ``recent``, and whether they make rows due."""
    first = min(date_of(max(live.clock - live.table.reach - 2 * DAY, 0)), recent)
    if live.table.remembers:
        first = first.replace(day=1)
        yield store.past(first), False
    yield store.read(store.days.between(first, recent)), True


def _additions(live: LiveTable, tiles: Tiles, due: bool, now: int) -> Additions:
    """Converts tiles of the batch run to additions with created time now, so that their rows count over older ones."""
    table, sums = live.table, tiles["sums"]
    masses = {name: sums[f"{name}.mass"].to_numpy() for name in table.of_kind(DecayedSum)}
    neutral = {"min": INT.max, "max": INT.min}
    parts = [sums[name].fill_null(neutral.get(name.rpartition(".")[2], 0)).to_numpy() for name in live.parts]
    return Additions(
        key=_keys(live, sums),
        at=sums["at"].to_numpy(),
        last=sums["last"].to_numpy(),
        created=np.maximum(sums["late"].to_numpy(), now),
        sums=np.stack(parts, axis=1) if sums.height else np.zeros((0, len(parts)), np.int64),
        masses=masses,
        texts={name: _texts(live, tiles[f"values.{name}"], name) for name in live.values}
        | {name: _oldest(live, tiles, name) for name in live.oldest.keys() - live.values.keys()},
        sequence={name: _newest(live, tiles, name) for name in live.newest},
        due=due,
    )


def _keys(live: LiveTable, frame: pl.DataFrame) -> np.ndarray:
    return live.keys.codes([live.words(key).codes(frame[key].to_list()) for key in live.table.keys])


def _texts(live: LiveTable, frame: pl.DataFrame, name: str) -> Texts:
    at = frame["at"].to_numpy()
    if distinct_alone(live.table, name):  # only the presence of the text counts
        n, first, last = None, at, at
    else:
        n, first, last = (frame[column].to_numpy() for column in ("n", "first", "last"))
    return Texts(_keys(live, frame), _codes(live, frame["value"], name), at, first, last, n)


def _codes(live: LiveTable, values: pl.Series, name: str) -> np.ndarray:
    """(n,) codes of values; integers of a column without codes are their own."""
    return live.words(name).codes(values.to_list()) if live.is_coded(name) else values.to_numpy()


def _oldest(live: LiveTable, tiles: Tiles, name: str) -> Texts:
    """The values of each tile; of a number column, the oldest one alone."""
    frame = tiles.get(f"oldest.{name}")
    if frame is None:
        return _texts(live, tiles[f"values.{name}"], name)
    first = frame["first"].to_numpy()
    return Texts(_keys(live, frame), _codes(live, frame["value"], name), frame["at"].to_numpy(), first, first)


def _newest(live: LiveTable, tiles: Tiles, name: str) -> Texts:
    """The newest events of each tile; if only the last text matters, the tile's values have it too."""
    frame = tiles.get(f"events.{name}")
    if frame is None:
        return _texts(live, tiles[f"values.{name}"], name)
    last, at = frame["last"].to_numpy(), frame["at"].to_numpy()
    return Texts(_keys(live, frame), _codes(live, frame["value"], name), at, last, last)
