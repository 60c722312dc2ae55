"""The reader of the stream: events in, rows online, over and over."""

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

from feature_repo import clock
from feature_repo.command_line import say as say_on_screen
from feature_repo.events import AHEAD, Names
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import WRITE_TIMEOUT, Command, open_server
from feature_repo.windows import EVENTS
from feature_repo.windows.table import HOUR
from transforms import feature_tables
from transforms.stream.accept import Accepted, Gate, Told
from transforms.stream.batch_boundary import load
from transforms.stream.live_state import LiveState
from transforms.stream.log import Log, Lost
from transforms.stream.push import Pusher
from transforms.stream.retracted import correct_online
from transforms.stream.sources import Source
from transforms.stream.state.live_rows import LiveRows

ROWS_AT_ONCE, LIVE_ROWS_AT_ONCE = 5_000, 50_000
"""Rows of one table of hours or days, and of one of events, that are pushed before new events are looked at."""

WRITES_AT_ONCE = 2
"""Of many rows: Redis works on those of one table while those of the next are made."""

_AHEAD = AHEAD // timedelta(microseconds=1)

LOOK_SECONDS = 1.0
"""How often the end of a batch run is looked for."""


@dataclass(frozen=True)
class Settings:
    """How the stream is read.

    Attributes:
        lateness: microseconds; what comes later than this is left to the batch run.
        follows: "wall": time passes by the clock on the wall; "events": by the events.
        batch: events that are counted together at the most.
        flood: events of one key that count within a minute.
        until_idle: end when nothing waits.
    """

    lateness: int = 6 * HOUR
    follows: str = "wall"
    batch: int = 10_000
    flood: int = 1_000
    until_idle: bool = False


@dataclass(frozen=True)
class Pushed:
    """A batch whose rows were sent: when they are online, it can be committed.

    Attributes:
        accepted: kind → what became of the events.
        taken: commands by which the source knows that they were read.
        clock: moment for which the rows were pushed.
    """

    accepted: dict[str, Accepted]
    taken: list[Command]
    clock: int


@dataclass
class Report:
    """What a reader did."""

    counts: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    batches: int = 0
    loads: int = 0


class Reader:
    """Reads one source to its end, or until it is stopped.

    Args:
        home: the data folder.
        address: of Redis.
        source: made from the log; events come from it.
        settings: how.
        say: told what a person may want to know.
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

    def stop(self, *_: object) -> None:
        """End after the batch that is under way."""
        self._stopping.set()

    def run(self) -> Report:
        """Read.

        Raises:
            StoreError: another reader is at work.
            OnlineUnavailable: Redis stays away.
        """
        self.log.take(self._say)
        source = self._make_source(self.log)
        self._say(f"reading {source.name}; Ctrl-C ends")
        with self._pool, _told_to_stop(self.stop):
            self._load()
            while not self._stopping.is_set():
                try:
                    if not self._step(source):
                        break
                except Lost:
                    self._say("Redis has forgotten the last batches: loading the state again")
                    self._load()
                    source.restart()
            with suppress(Lost):  # the next reader reads again what was not acknowledged
                self._commit()
                self._wait_for_commit()
        self.log.leave()
        return self.report

    # One step

    def _step(self, source: Source) -> bool:
        """Read, count and push; commit the batch before, whose rows are online meanwhile. Returns whether there may be
        more.

        Nothing is waited for that Redis can do while something else is done, and all of it by one thread: threads would
        take turns at the interpreter's lock, and each turn lets an event wait.
        """
        if self._has_been_built() or self._is_ahead():
            self._commit()
            self._wait_for_commit()
            self._load()
        wait = 0.0 if self._is_busy or self._pushed is not None else self._wait
        events = source.begin(self.settings.batch, wait)
        self._commit()  # while Redis looks for events
        batch = events()
        accepted = self._accept(batch.told, batch.arrived)
        self._clock = self._moved(accepted)
        for kind, state in self._states.items():
            part = accepted[kind]
            if part.time:
                state.take(state.coder.events(part.time, part.created, part.columns))
        self._push()
        self._wait_for_commit()
        if batch.told:
            self._pushed = Pushed(accepted, batch.taken, self._clock)
        else:
            self._wait_for_rows()
            self.log.clock = self._clock
            self.log.keep()
        idle = batch.ends or (self.settings.until_idle and not batch.told and wait > 0)
        if idle and not self._is_busy:
            self._commit()
            self._wait_for_commit()  # nothing is read after it, so that the last batch must be there
            return False
        return True

    def _moved(self, accepted: dict[str, Accepted]) -> int:
        """How far time has come: never further than the clock on the wall; what is later waits until it is due."""
        now = _now()
        if self.settings.follows == "wall":
            return max(self._clock, now)
        newest = max(max(part.time, default=0) + 1 for part in accepted.values())
        return max(self._clock, min(newest, now))

    def _is_ahead(self) -> bool:
        """Whether the clock on the wall went back, so that time here has gone too far."""
        if self.settings.follows != "wall" or self._clock - _now() <= _AHEAD:
            return False
        self._say("the clock has gone back: loading the state again")
        self._clock = 0
        return True

    @property
    def _is_busy(self) -> bool:
        """Whether there is something to count or to push even if no event comes."""
        return self._has_due or any(state.is_behind for state in self._states.values())

    @property
    def _wait(self) -> float:
        return 0.05 if self.settings.until_idle else 0.5

    def _accept(self, told: list[Told], arrived: float | None) -> dict[str, Accepted]:
        by_kind: dict[str, list[Told]] = {kind: [] for kind in self._gates}
        first = next(iter(by_kind))  # an unknown kind is refused by any gate
        if len({one.kind for one in told}) == 1:
            by_kind[told[0].kind if told[0].kind in by_kind else first] = told
        else:
            for one in told:
                by_kind.get(one.kind, by_kind[first]).append(one)
        wall, now = self.settings.follows == "wall", _now()
        return {
            kind: self._gates[kind].accept(
                some, self._clock, now, arrived=(round(arrived * 1e6) if arrived else now) if wall else None
            )
            for kind, some in by_kind.items()
        }

    def _push(self) -> None:
        self._has_due = False
        for state in self._states.values():
            for live, keys, more in state.due(self._clock, ROWS_AT_ONCE, LIVE_ROWS_AT_ONCE):
                self.report.rows += self._pushers[live.table.name].push(LiveRows.of(live, keys))
                self._has_due |= more

    def _wait_for_rows(self) -> None:
        for pusher in self._pushers.values():
            pusher.finish()

    def _commit(self) -> None:
        """Have what was pushed committed, if anything was, now that its rows are online."""
        pushed, self._pushed = self._pushed, None
        if pushed is None:
            return
        self._wait_for_rows()
        counts: Counter[str] = Counter()
        for part in pushed.accepted.values():
            counts.update(part.counts)
        rows = {kind: frame for kind, part in pushed.accepted.items() if (frame := part.to_log()) is not None}
        dead = [one for part in pushed.accepted.values() for one in part.dead]
        self.log.clock = pushed.clock
        self._committing = self.log.commit(rows, dead, counts, pushed.taken), counts

    def _wait_for_commit(self) -> None:
        """Until the last commit is done.

        Raises:
            Lost, StoreError, OnlineUnavailable: it could not be, see ``Log.commit``.
        """
        committing, self._committing = self._committing, None
        if committing is not None:
            wait, counts = committing
            wait()
            self.report.counts.update(counts)
            self.report.batches += 1

    # The state

    def _load(self) -> None:
        """Take the state from what the batch run and the log have."""
        started = time.perf_counter()
        self._wait_for_rows()
        self._built = feature_tables.built_at(self.home)
        self.log.take(self._say)
        wall = self.settings.follows == "wall"
        if wall:
            self._clock = max(self._clock, _now())
        now = clock.now()
        self._gates = {
            kind: Gate(source, self.settings.lateness, self.settings.flood) for kind, source in EVENTS.items()
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
        self._looked_at = time.monotonic()
        self.report.loads += 1
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._say(f"state of {len(self._pushers)} tables in {time.perf_counter() - started:.1f} s")

    def _has_been_built(self) -> bool:
        """Looked for once a second, as is garbage."""
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = time.monotonic()
        gc.collect(0)
        gc.freeze()  # what is kept: else it is looked through again and again, for 35 ms each time
        return feature_tables.built_at(self.home) != self._built


def _now() -> int:
    return clock.microseconds(clock.now())


class _told_to_stop:
    """While this holds, Ctrl-C and a polite kill call a function."""

    def __init__(self, stop: Callable[..., None]) -> None:
        self._stop = stop

    def __enter__(self) -> None:
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
