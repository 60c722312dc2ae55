"""The reader of the stream: a loop that reads events, counts them and pushes rows online."""

import gc
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from feature_repo import clock
from feature_repo.command_line import say as say_on_screen
from feature_repo.contract import contract_of
from feature_repo.errors import StoreError
from feature_repo.events import AHEAD, Names
from feature_repo.forgotten import Forgotten
from feature_repo.home import Home
from feature_repo.manifest import load_definitions
from feature_repo.packed.address import Address
from feature_repo.packed.server import WRITE_TIMEOUT, Command, open_server
from feature_repo.project import Project
from feature_repo.windows.table import HOUR
from transforms import feature_tables
from transforms.stream.accept import Accepted, Gate, RawEvent
from transforms.stream.batch_boundary import load
from transforms.stream.live_state import LiveState
from transforms.stream.log import Log, Lost
from transforms.stream.push import Pusher
from transforms.stream.retracted import correct_online
from transforms.stream.sources import Source
from transforms.stream.state.live_rows import LiveRows

ROWS_AT_ONCE, LIVE_ROWS_AT_ONCE = 5_000, 50_000
"""Rows of one hourly or daily table, and of one live table, that are pushed before new events are read."""

WRITES_AT_ONCE = 2
"""Concurrent writes of many rows: Redis stores the rows of one table while those of the next are computed."""

_AHEAD = AHEAD // timedelta(microseconds=1)

LOOK_SECONDS = 1.0
"""Seconds between checks whether a batch run has ended."""


@dataclass(frozen=True)
class Settings:
    """Settings of the reader.

    Attributes:
        lateness: microseconds; events that arrive later than this are left to the batch run.
        follows: what time follows: "wall", the system clock, or "events", the event times.
        batch: most events that are counted together.
        flood: events of one key that are accepted within a minute.
        until_idle: whether the reader ends when no events wait.
    """

    lateness: int = 6 * HOUR
    follows: str = "wall"
    batch: int = 10_000
    flood: int = 1_000
    until_idle: bool = False


@dataclass(frozen=True)
class Pushed:
    """A batch whose rows were sent; it can be committed once they are online.

    Attributes:
        accepted: kind → the gate's decisions about its events.
        acknowledgements: Redis commands that record that the events were read.
        clock: moment for which the rows were pushed, microseconds.
    """

    accepted: dict[str, Accepted]
    acknowledgements: list[Command]
    clock: int


@dataclass
class Report:
    """Totals of a reader's run: events by outcome, pushed rows, batches, and loads of the state."""

    counts: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    batches: int = 0
    loads: int = 0


class OtherDefinitions(StoreError):
    """Tables are defined otherwise than when the reader was started."""


class Reader:
    """Reads one source to its end, or until it is stopped.

    Args:
        home: the data folder.
        address: address of Redis.
        source: function from the log to the source of events.
        settings: settings of the reader.
        say: function that shows messages to the user.
    """

    def __init__(
        self,
        home: Home,
        address: Address,
        source: Callable[[Log], Source],
        settings: Settings | None = None,
        say: Callable[[str], None] = say_on_screen,
    ) -> None:
        self.home, self.settings, self._say = home, settings or Settings(), say
        self.report = Report()
        server = open_server(home, address, WRITE_TIMEOUT)
        self.log = Log(server, Names(home.project))
        self._make_source, self._server = source, server
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(WRITES_AT_ONCE, "push")
        self._pushers: dict[str, Pusher] = {}
        self._pushed: Pushed | None = None
        self._committing: tuple[Callable[[], None], Counter[str]] | None = None
        self._clock = 0
        self._applied_at = _time_of_change(home.manifest)

    def stop(self, *_: object) -> None:
        """Makes the reader end after the current batch."""
        self._stopping.set()

    def run(self) -> Report:
        """Reads events until the source ends or the reader is stopped.

        Raises:
            StoreError: another reader is running, or another definition of a table was applied.
            OnlineUnavailable: Redis is not available.
        """
        self.log.acquire_lease(self._say)
        source = self._make_source(self.log)
        self._say(f"reading {source.name}; Ctrl-C ends")
        with self._pool, _stop_on_signal(self.stop):
            self._load()
            while not self._stopping.is_set():
                try:
                    if not self._step(source):
                        break
                except OtherDefinitions:
                    self.log.release_lease()  # what was not committed is read again by the next reader
                    raise
                except Lost:
                    self._say("Redis has forgotten the last batches: loading the state again")
                    self._load()
                    source.restart()
            with suppress(Lost):  # the next reader reads unacknowledged events again
                self._commit()
                self._wait_for_commit()
        self.log.release_lease()
        return self.report

    # One step

    def _step(self, source: Source) -> bool:
        """Reads, counts and pushes a batch, and commits the previous batch, whose rows are online meanwhile.

        Requests to Redis overlap with other work, and one thread does all of it: several threads would take turns at
        the interpreter's lock, and each turn would delay events.

        Returns:
            Whether there may be more events.
        """
        if self._has_been_built() or self._is_ahead():
            self._commit()
            self._wait_for_commit()
            self._load()
        wait = 0.0 if self._is_busy or self._pushed is not None else self._wait
        receive = source.begin(self.settings.batch, wait)
        self._commit()  # while Redis looks for events
        batch = receive()
        accepted = self._accept(batch.events, batch.arrived)
        self._clock = self._next_clock(accepted)
        for kind, state in self._states.items():
            for name, dimension in state.dimensions.items():
                dimension.add(accepted[name].reported())
            part = accepted[kind]
            if part.time:
                state.queue(state.coder.events(part.time, part.created, part.columns))
        self._push()
        self._wait_for_commit()
        if batch.events:
            self._pushed = Pushed(accepted, batch.acknowledgements, self._clock)
        else:
            self._wait_for_rows()
            self.log.clock = self._clock
            self.log.renew_lease()
        idle = batch.ends or (self.settings.until_idle and not batch.events and wait > 0)
        if idle and not self._is_busy:
            self._commit()
            self._wait_for_commit()  # no later step would wait for the commit of the last batch
            return False
        return True

    def _check_definitions(self) -> None:
        """Checks that the tables are defined as when this process started, if the definitions were applied since.

        Raises:
            OtherDefinitions: another definition of a table was applied; this process cannot load it.
        """
        changed = _time_of_change(self.home.manifest)
        if changed == self._applied_at:
            return
        self._applied_at = changed
        applied = load_definitions(self.home)
        tables = [live.table for state in self._states.values() for live in state.tables]
        others = [table.name for table in tables if applied.get(table.name, table.fingerprint) != table.fingerprint]
        if others:
            raise OtherDefinitions(
                expected="the definitions with which this reader was started",
                found=f"another definition of {', '.join(others)} was applied",
                next_command="refrain build && refrain materialize, then start the reader",
            )

    def _next_clock(self, accepted: dict[str, Accepted]) -> int:
        """The moment to advance to: never beyond the system clock; later events wait until then."""
        now = _now()
        if self.settings.follows == "wall":
            return max(self._clock, now)
        newest = max(max(part.time, default=0) + 1 for part in accepted.values())
        return max(self._clock, min(newest, now))

    def _is_ahead(self) -> bool:
        """Whether the system clock went back, so that the reader's clock is ahead of it."""
        if self.settings.follows != "wall" or self._clock - _now() <= _AHEAD:
            return False
        self._say("the clock has gone back: loading the state again")
        self._clock = 0
        return True

    @property
    def _is_busy(self) -> bool:
        """Whether there are events to count or rows to push even if no event arrives."""
        return self._has_due or any(state.is_behind for state in self._states.values())

    @property
    def _wait(self) -> float:
        return 0.05 if self.settings.until_idle else 0.5

    def _accept(self, raw_events: list[RawEvent], arrived: float | None) -> dict[str, Accepted]:
        by_kind: dict[str, list[RawEvent]] = {kind: [] for kind in self._gates}
        first_kind = next(iter(by_kind))  # any gate refuses an unknown kind
        if len({event.kind for event in raw_events}) == 1:
            by_kind[raw_events[0].kind if raw_events[0].kind in by_kind else first_kind] = raw_events
        else:
            for event in raw_events:
                by_kind.get(event.kind, by_kind[first_kind]).append(event)
        wall, now = self.settings.follows == "wall", _now()
        return {
            kind: self._gates[kind].accept(
                events, self._clock, now, arrived=(round(arrived * 1e6) if arrived else now) if wall else None
            )
            for kind, events in by_kind.items()
        }

    def _push(self) -> None:
        self._has_due = False
        for state in self._states.values():
            for live, keys, may_have_more in state.due(self._clock, ROWS_AT_ONCE, LIVE_ROWS_AT_ONCE):
                self.report.rows += self._pushers[live.table.name].push(LiveRows.of(live, keys))
                self._has_due |= may_have_more

    def _wait_for_rows(self) -> None:
        for pusher in self._pushers.values():
            pusher.finish()

    def _commit(self) -> None:
        """Starts to commit the pushed batch, if there is one, once its rows are online."""
        pushed, self._pushed = self._pushed, None
        if pushed is None:
            return
        self._wait_for_rows()
        counts: Counter[str] = Counter()
        for part in pushed.accepted.values():
            counts.update(part.counts)
        rows = {kind: frame for kind, part in pushed.accepted.items() if (frame := part.to_log()) is not None}
        dead = [refused for part in pushed.accepted.values() for refused in part.dead]
        self.log.clock = pushed.clock
        self._committing = self.log.commit(rows, dead, counts, pushed.acknowledgements), counts

    def _wait_for_commit(self) -> None:
        """Waits until the last commit is done.

        Raises:
            Lost, StoreError, OnlineUnavailable: the commit failed, see ``Log.commit``.
        """
        committing, self._committing = self._committing, None
        if committing is not None:
            wait, counts = committing
            wait()
            self.report.counts.update(counts)
            self.report.batches += 1

    # The state

    def _load(self) -> None:
        """Loads the state from raw tables, tiles and the log."""
        started = time.perf_counter()
        self._wait_for_rows()
        self._built = feature_tables.built_at(self.home)
        self.log.acquire_lease(self._say)
        wall = self.settings.follows == "wall"
        if wall:
            self._clock = max(self._clock, _now())
        now = clock.now()
        sources, forgotten = contract_of(self.home).events, Forgotten.of(self.home)
        limits = Project.load(self.home.project_folder).plausibility
        self._gates = {
            kind: Gate(source, self.settings.lateness, self.settings.flood, sources, forgotten, limits.get(kind))
            for kind, source in sources.items()
        }
        self._states: dict[str, LiveState] = {
            kind: load(self.home, self.log, kind, gate, self._clock, now) for kind, gate in self._gates.items()
        }
        self._clock = max(self._clock, *(state.clock for state in self._states.values()))
        self.log.clock = min(self.log.clock, self._clock)
        self._pushers = {
            live.table.name: Pusher(self.home, self._server, live, self._pool)
            for state in self._states.values()
            for live in state.tables
        }
        for state in self._states.values():
            for live in state.tables:
                self.report.rows += correct_online(self.home, self._server, live)
        self._has_due = True
        self._checked_at = time.monotonic()
        self.report.loads += 1
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._say(f"state of {len(self._pushers)} tables in {time.perf_counter() - started:.1f} s")

    def _has_been_built(self) -> bool:
        """Whether a batch run has ended since the state was loaded; checked, and garbage collected, once a second."""
        if time.monotonic() - self._checked_at < LOOK_SECONDS:
            return False
        self._checked_at = time.monotonic()
        gc.collect(0)
        gc.freeze()  # surviving objects, which each full collection would scan again for 35 ms
        self._check_definitions()
        return feature_tables.built_at(self.home) != self._built


def _time_of_change(file: Path) -> int:
    """Returns when a file was changed, in nanoseconds since 1970; 0 if there is none."""
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _now() -> int:
    return clock.microseconds(clock.now())


class _stop_on_signal:
    """Context in which SIGINT (Ctrl-C) and SIGTERM call a function."""

    def __init__(self, stop: Callable[..., None]) -> None:
        self._stop = stop

    def __enter__(self) -> None:
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
