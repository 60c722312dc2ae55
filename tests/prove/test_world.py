"""A data folder through whatever may happen to it: in the end online = offline as of now = a loop over all events.

A world is a few listeners, songs and artists. Steps, chosen by chance: plays come in, some are told again with another
artist or length, a day is removed from the raw tables, a declaration changes its condition, plays are streamed, the
clock moves, a build is killed, the folder is copied and the copy is used. After some of them the tables are built and
brought online, by materialize or by the stream, and everything that anybody ever heard of is compared.
"""

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from feature_repo import clock
from feature_repo.events import Names, append
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.stores import redis_server
from feature_repo.windowed import WINDOWED
from feature_repo.windows import WindowedTable, column
from tests import proving
from tests.live import Rows, batch, online, server_of, told
from tests.oracles import windows as oracle
from tests.windowed import same
from tests.worlds import apply
from transforms import parquet
from transforms.batch.build import build
from transforms.raw.ingest import Batch, ingest
from transforms.stream.batch_boundary import archive
from transforms.stream.log import Log
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

START = datetime(2026, 3, 1, tzinfo=UTC)
TABLES = ("user_listening", "user_artist_affinity", "user_session", "user_history", "track_popularity")
USERS, TRACKS, ARTISTS = ("ann", "bob", "cat"), ("s1", "s2", "s3", "s4"), ("x", "y", None)
CONDITIONS = (None, column("ms_played") >= 30_000, ~column("skipped").is_missing() | (column("ms_played") < 9_000))
Event = dict[str, Any]


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("prove") / "home")
    apply(home)
    yield home
    redis_server.stop(home)


class World:
    """What has happened, and what should therefore be there."""

    def __init__(self, home: Home, chance: np.random.Generator, patch: pytest.MonkeyPatch) -> None:
        self.home, self.chance, self.patch = home, chance, patch
        self.now = START + timedelta(days=1)
        self.events: dict[tuple[str, str, datetime], Event] = {}
        self.heard: dict[str, set[tuple[str, ...]]] = {name: set() for name in TABLES}
        self.steps: list[str] = []
        self.number = 0
        self.read_at = self.now
        self._stop_clock()

    def _stop_clock(self) -> None:
        self.patch.setenv(clock.NOW, self.now.isoformat())

    def pick(self, options: tuple) -> Any:
        return options[self.chance.integers(len(options))]

    # What happens

    def step(self) -> None:
        names = ("ingest", "ingest", "correct", "move", "delete", "redefine", "stream_in", "pass_time", "kill", "copy")
        name = self.pick(names)
        self.steps.append(name)
        getattr(self, name)()

    def _event(self, at: datetime) -> Event:
        return {
            "user_id": self.pick(USERS),
            "track_id": self.pick(TRACKS),
            "artist_id": self.pick(ARTISTS),
            "event_timestamp": at,
            "created_timestamp": self.now,
            "ms_played": self.pick((None, 5_000, 30_000, 200_000)),
            "skipped": self.pick((None, True, False)),
            "device": None,
            "context": None,
            "platform_id": "default",
        }

    def _moment(self, days: float) -> datetime:
        """Some time ago, often on the edge of an hour or a day."""
        ago = timedelta(days=float(self.chance.random()) * days)
        at = max(self.now - ago, START)
        if self.chance.random() < 0.3:
            at = at.replace(minute=0, second=0, microsecond=0)
        return min(at, self.now - timedelta(microseconds=1))

    def _store(self, events: list[Event]) -> None:
        self.number += 1
        for event in events:
            self.events[event["user_id"], event["track_id"], event["event_timestamp"]] = event
        self._hear(events)
        frame = pl.DataFrame(events, infer_schema_length=None).drop("platform_id")
        ingest(self.home, f"prove {self.number}", [Batch("plays", frame)])

    def _hear(self, events: list[Event]) -> None:
        for name, keys in self.heard.items():
            keys |= {
                tuple(event[key] for key in WINDOWED[name].keys)
                for event in events
                if all(event[key] is not None for key in WINDOWED[name].keys)
            }

    def ingest(self) -> None:
        fresh = {}
        for _ in range(self.chance.integers(1, 9)):
            event = self._event(self._moment(days=float(self.pick((0.01, 1, 4, 30)))))
            key = event["user_id"], event["track_id"], event["event_timestamp"]
            if key not in self.events:
                fresh[key] = event
        if fresh:
            self._store(list(fresh.values()))

    def _tell_again(self, change: Callable[[Event], Event]) -> None:
        if self.events:
            keys = list(self.events)
            chosen = {keys[self.chance.integers(len(keys))] for _ in range(3)}
            self.now += timedelta(seconds=1)
            self._stop_clock()
            self._store([change(self.events[key]) | {"created_timestamp": self.now} for key in sorted(chosen)])

    def correct(self) -> None:
        self._tell_again(
            lambda event: event | {"ms_played": self.pick((None, 1, 60_000)), "skipped": self.pick((None, True))}
        )

    def move(self) -> None:
        self._tell_again(lambda event: event | {"artist_id": self.pick(ARTISTS)})

    def delete(self) -> None:
        """A day is removed by hand; of events that no build has ever seen nobody could tell that they are gone."""
        self.build()
        days = sorted(self.home.raw("plays").glob("date=*"))
        if days:
            day = days[self.chance.integers(len(days))]
            shutil.rmtree(day)
            gone = day.name.removeprefix("date=")
            self.events = {key: event for key, event in self.events.items() if str(key[2].date()) != gone}

    def redefine(self) -> None:
        name = self.pick(TABLES[:3])
        changed = dataclasses.replace(WINDOWED[name], where=self.pick(CONDITIONS))
        self.patch.setitem(WINDOWED, name, changed)

    def stream_in(self) -> None:
        """Plays of the last hours through the stream, each once."""
        fresh: list[Event] = []
        for _ in range(self.chance.integers(1, 6)):
            event = self._event(self._moment(days=0.2))
            key = event["user_id"], event["track_id"], event["event_timestamp"]
            if key not in self.events:
                self.events[key] = event
                fresh.append(event)
        self._hear(fresh)
        if fresh:
            append(server_of(self.home), Names(self.home.project), [("plays", line) for line in told(fresh)])
            self.read()

    def pass_time(self) -> None:
        self.now += timedelta(hours=float(self.pick((0.2, 3, 24, 24 * 9, 24 * 31))))
        self._stop_clock()

    def kill(self) -> None:
        """A build that ends in the middle."""
        write, left = parquet.write_whole, [int(self.chance.integers(0, 40))]

        def dying(*arguments: Any, **more: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            write(*arguments, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parquet, "write_whole", dying)
            try:
                self.build()
            except KeyboardInterrupt:
                return

    def copy(self) -> None:
        """Go on in a copy of the folder; nothing of it is read from the original."""
        self._archive()
        redis_server.stop(self.home)
        copy = Home(self.home.root.with_name(f"{self.home.root.name}-{len(self.steps)}"))
        shutil.copytree(self.home.root, copy.root)
        for name in ("raw", "features", "tiles"):
            shutil.rmtree(self.home.root / name, ignore_errors=True)
        self.home = copy
        self.patch.setenv("REFRAIN_HOME", str(copy.root))

    # How it comes online

    def _archive(self) -> None:
        archive(self.home, Log(server_of(self.home), Names(self.home.project)))

    def build(self) -> None:
        self._archive()
        self.now += timedelta(seconds=1)
        self._stop_clock()
        if parquet.has_dates(self.home.raw("plays")) or parquet.has_dates(self.home.features(TABLES[0])):
            build(self.home)

    def read(self) -> None:
        self.now += timedelta(seconds=1)
        self._stop_clock()
        self.read_at = self.now
        Reader(
            self.home, Address.from_env(), Stream, Settings(follows="wall", until_idle=True), say=lambda text: None
        ).run()

    def materialize(self) -> None:
        from feature_repo.store import open_store

        open_store(self.home).materialize(datetime(1970, 1, 2, tzinfo=UTC), self.now, feature_views=list(TABLES))

    def check(self) -> int:
        """Everything that anybody ever heard of; how many rows that were."""
        self.build()
        if not parquet.has_dates(self.home.features(TABLES[0])):
            return 0
        way = self.pick(("materialize", "read"))
        self.steps.append(way)
        if way == "read" and self.now - self.read_at > timedelta(days=1):
            self.materialize()  # after a long rest of its own the stream takes what left windows from the batch run
        getattr(self, way)()
        return sum(self._check(WINDOWED[name], name, is_streamed=way == "read") for name in TABLES)

    def _check(self, table: WindowedTable, name: str, *, is_streamed: bool) -> int:
        """The stream leaves keys alone whose windows have long been empty, unless they have lost events."""
        at = clock.microseconds(self.now)
        offline, stored = batch(self.home, name, at), online(self.home, name)
        events = list(self.events.values())
        for key in sorted(self.heard[name]):
            expected = expected_row(table, events, dict(zip(table.keys, key, strict=True)), at - at % table.unit)
            for where, rows in (("offline", offline), ("online", stored)):
                is_empty = not any(value for name, value in rows.get(key, {}).items() if name != "at")
                if where == "online" and is_streamed and is_empty and self._is_quiet(table, events, key, at):
                    continue
                self._compare(f"{where} {name} {key}", rows, key, expected)
        return 2 * len(self.heard[name])

    def _is_quiet(self, table: WindowedTable, events: list[Event], key: tuple[str, ...], at: int) -> bool:
        own = oracle.of_key(table, events, dict(zip(table.keys, key, strict=True)))
        return all(oracle.micros(one["event_timestamp"]) < at - table.reach for one in own)

    def _compare(self, where: str, rows: Rows, key: tuple[str, ...], expected: dict[str, Any] | None) -> None:
        row = rows.get(key)
        for feature in expected or {name: None for name, _ in WINDOWED[where.split()[1]].fields}:
            value = None if row is None else row[feature]
            wanted = None if expected is None else expected[feature]
            assert same(value, wanted), (where, feature, value, wanted, " ".join(self.steps))


def expected_row(table: WindowedTable, events: list[Event], key: dict[str, str], at: int) -> dict[str, Any] | None:
    """What a loop over all events says; None of a key of which there was none."""
    before = [event for event in oracle.of_key(table, events, key) if oracle.micros(event["event_timestamp"]) < at]
    return oracle.values(table, events, key, at) if before else None


def test_a_folder_that_lives(applied: Home, tmp_path: Path) -> None:
    proof = proving.Proof("data folders")
    for number, chance in proof.worlds():
        with pytest.MonkeyPatch.context() as patch:
            home = Home(tmp_path / f"world-{number}")
            shutil.copytree(applied.root, home.root, ignore=shutil.ignore_patterns("redis*", "start.lock"))
            patch.setenv("REFRAIN_HOME", str(home.root))
            world = World(home, chance, patch)
            try:
                for _ in range(int(chance.integers(2, 5))):
                    for _ in range(int(chance.integers(1, 6))):
                        world.step()
                    proof.rows += world.check()
            finally:
                redis_server.stop(world.home)
                redis_server.stop(home)
