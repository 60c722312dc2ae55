"""Where the batch run and the stream meet: the state of live tables from raw tables and tiles.

First the events that the stream has logged are stored in the raw tables, each once; then the tiles of the days that
changed are made anew; then the live tables are filled, from tiles where days are long over and from single events
where they are not. So nothing is missed or counted twice, whatever the batch run has done meanwhile: raw tables hold
all, the log what is not in them yet, and the state is always both together.
"""

import fcntl
from collections.abc import Callable, Iterator
from datetime import date, datetime

import numpy as np
import polars as pl

from feature_repo.clock import microseconds
from feature_repo.errors import OnlineUnavailable
from feature_repo.events import AHEAD, Names
from feature_repo.events import micros as micros_of
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import WRITE_TIMEOUT, open_server
from feature_repo.windowed import WINDOWED
from feature_repo.windows import EVENTS, DecayedSum
from feature_repo.windows.table import DAY
from transforms import feature_tables
from transforms.batch.gone_rows import GoneRows
from transforms.batch.windows.calendar import date_of
from transforms.batch.windows.tile_store import TileStore
from transforms.batch.windows.tiles import Tiles, distinct_alone
from transforms.raw import TABLES
from transforms.raw.days import RawDays
from transforms.raw.ingest import Batch, ingest
from transforms.raw.left_out import LeftOut
from transforms.stream.accept import Gate
from transforms.stream.live_state import LiveState
from transforms.stream.log import Log
from transforms.stream.state.additions import Additions, Texts
from transforms.stream.state.live_table import LiveTable
from transforms.stream.state.sums import INT

RECENT = 2 * DAY
"""Within it live tables need single events, for their windows move in steps shorter than tiles in Parquet are wide."""

LONGEST_REST = 2 * DAY
"""After a longer one what has left windows meanwhile is taken to be online from the batch run."""


def archive(home: Home, log: Log) -> int:
    """Store what the stream has accepted in the raw tables.

    Returns:
        How many events there were.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """

    def store(kind: str) -> Callable[[list[pl.DataFrame]], None]:
        return lambda frames: _ingested(home, kind, frames)

    with (home.ensure().root / ".archive.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)  # two at once would forget blocks that none of them has stored
        return sum(log.take_over(kind, store(kind)) for kind in EVENTS)


def archive_if_there(home: Home) -> int | None:
    """``archive``, if there can be a stream; starts no server that never ran.

    Returns:
        How many events there were; None if Redis does not answer.
    """
    address = Address.from_env()
    if address.is_embedded and not home.redis.is_dir():
        return 0
    try:
        return archive(home, Log(open_server(home, address, WRITE_TIMEOUT), Names(home.project), patience=0.0))
    except OnlineUnavailable:
        return None


def _ingested(home: Home, kind: str, frames: list[pl.DataFrame]) -> None:
    ingest(home, "stream", [Batch(kind, pl.concat(frames))])


def load(home: Home, log: Log, kind: str, gate: Gate, clock: int, now: datetime) -> LiveState:
    """The state of all live tables of a source.

    Args:
        home: the data folder.
        log: of the stream.
        kind: of events.
        gate: told of the events that may come again.
        clock: how far the stream's time has come; moved on to the newest event.
        now: of the world; what was told to happen later counts at the next load.

    Raises:
        OnlineUnavailable: Redis does not answer.
    """
    with feature_tables.writing(home):
        archive(home, log)
        source = EVENTS[kind]
        tables = [table for table in WINDOWED.values() if table.source.name == kind]
        state = LiveState(source, tables, home.tenant)
        days = RawDays.of(home, kind)
        known = {live.table.name: TileStore(home, live.table, days) for live in state.tables}
        for tiles in known.values():
            tiles.update(now=now)
        if days.paths:
            _fill(state, days, known, gate, log.clock, clock, now)
        else:
            state.advance(clock)
        for live in state.tables:
            _note_closed(home, live, now)
    return state


def _fill(
    state: LiveState,
    days: RawDays,
    known: dict[str, TileStore],
    gate: Gate,
    seen: int,
    clock: int,
    now: datetime,
) -> None:
    """Count the events: most at once, those of a rest of the reader as time passes from its beginning.

    So rows are due also to what left windows while nobody read.
    """
    newest = days.load([max(days.paths)], [])["event_timestamp"].max()
    since = min(micros_of(newest) + 1, microseconds(now))  # type: ignore[arg-type]
    clock = max(clock, since)
    if since - LONGEST_REST < seen < since:
        since = seen
    recent = date_of(max(min(clock - gate.lateness, since - RECENT), 0))
    columns = list(state.coder.source.columns)
    fresh = days.between(recent, date.max)
    told = days.load(fresh, columns)
    table = TABLES[state.coder.source.name]
    left_out = [LeftOut(table, days.paths[day].parent).read_of(told) for day in fresh]
    times = [pl.col(name).dt.timestamp("us") for name in ("event_timestamp", "created_timestamp")]
    ahead = max(clock, microseconds(now + AHEAD))  # what is a little ahead waits in the state until it is due
    told = told.select(*times, *columns).filter(pl.col("event_timestamp") < ahead)
    for rows in (told, *(rows.select(*times, *columns) for rows in left_out)):
        gate.remember(rows.filter(pl.col("event_timestamp") >= clock - gate.lateness).iter_rows())
    told = told.with_columns(created_timestamp=pl.max_horizontal("created_timestamp", pl.lit(microseconds(now))))
    time, created, *values = (told[name].to_list() for name in told.columns)
    events = state.coder.events(time, created, dict(zip(columns, values, strict=True)))
    for live in state.tables:
        live.advance(since - since % live.table.unit)
        for part, due in _long_over(live, known[live.table.name], recent):
            live.add(_additions(live, part, due, microseconds(now)))
    state.resume(events, since)
    state.advance(clock)


def _note_closed(home: Home, live: LiveTable, now: datetime) -> None:
    """Tell a table the moments of its closing rows, which may be online."""
    table = live.table
    gone = GoneRows(home.tiles(table.name) / "closed").read().values()
    if not gone:
        return
    due = pl.concat(gone).filter(pl.col("event_timestamp") <= now)
    newest = due.group_by(table.keys).agg(pl.col("event_timestamp").max().dt.timestamp("us"))
    codes, moments = _keys(live, newest), newest["event_timestamp"].to_numpy()
    order = np.argsort(codes)
    live.note_closed(codes[order], moments[order], microseconds(now))


def _long_over(live: LiveTable, known: TileStore, recent: date) -> Iterator[tuple[Tiles, bool]]:
    """Tiles of what is before a day, and whether rows are due to them."""
    first = min(date_of(max(live.clock - live.table.reach - 2 * DAY, 0)), recent)
    if live.table.remembers:
        first = first.replace(day=1)
        yield known.past(first), False
    yield known.read(known.days.between(first, recent)), True


def _additions(live: LiveTable, tiles: Tiles, due: bool, now: int) -> Additions:
    """Tiles of the batch run as what came; known from now on, so that rows win against those that knew less."""
    table, sums = live.table, tiles["sums"]
    masses = {name: sums[f"{name}.mass"].to_numpy() for name in table.of_kind(DecayedSum)}
    nothing = {"min": INT.max, "max": INT.min}
    parts = [sums[name].fill_null(nothing.get(name.rpartition(".")[2], 0)).to_numpy() for name in live.parts]
    return Additions(
        key=_keys(live, sums),
        at=sums["at"].to_numpy(),
        last=sums["last"].to_numpy(),
        created=np.maximum(sums["late"].to_numpy(), now),
        sums=np.stack(parts, axis=1) if sums.height else np.zeros((0, len(parts)), np.int64),
        masses=masses,
        texts={name: _texts(live, tiles[f"values.{name}"], name) for name in {*live.values, *live.oldest}},
        sequence={name: _newest(live, tiles, name) for name in live.newest},
        due=due,
    )


def _keys(live: LiveTable, frame: pl.DataFrame) -> np.ndarray:
    return live.keys.codes([live.words(key).codes(frame[key].to_list()) for key in live.table.keys])


def _texts(live: LiveTable, frame: pl.DataFrame, name: str) -> Texts:
    at = frame["at"].to_numpy()
    if distinct_alone(live.table, name):  # that it was there is all that counts
        n, first, last = None, at, at
    else:
        n, first, last = (frame[column].to_numpy() for column in ("n", "first", "last"))
    return Texts(_keys(live, frame), live.words(name).codes(frame["value"].to_list()), at, first, last, n)


def _newest(live: LiveTable, tiles: Tiles, name: str) -> Texts:
    """The newest events of each tile; where only the last one matters, the texts of the tile have it too."""
    frame = tiles.get(f"events.{name}")
    if frame is None:
        return _texts(live, tiles[f"values.{name}"], name)
    last = frame["last"].to_numpy()
    value = live.words(name).codes(frame["value"].to_list())
    return Texts(_keys(live, frame), value, frame["at"].to_numpy(), last, last)
