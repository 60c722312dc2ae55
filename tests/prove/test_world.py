"""Random operations on a data folder: afterwards online = offline as of now = a loop over all events.

A world has a few listeners, songs and artists. The random steps: plays are ingested, plays arrive again with another
artist or length, a day is removed from the raw tables, a declaration changes its condition, plays are streamed, the
clock moves, a build is killed, the folder is copied and the copy is used. After a few steps the tables are built and
brought online, by materialize or by the stream, and every key that ever occurred is compared.
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
from feature_repo.windows import WindowedTable, column
from tests import proving
from tests.live import Rows, batch, online, server_of, to_json_lines
from tests.music import WINDOWED
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
    """A data folder, the steps applied to it, and the events that it should contain."""

    def __init__(self, home: Home, rng: np.random.Generator, patch: pytest.MonkeyPatch) -> None:
        self.home, self.rng, self.patch = home, rng, patch
        self.now = START + timedelta(days=1)
        self.events: dict[tuple[str, str, datetime], Event] = {}
        self.known_keys: dict[str, set[tuple[str, ...]]] = {name: set() for name in TABLES}
        self.steps: list[str] = []
        self.batch_number = 0
        self.last_read = self.now
        self._stop_clock()

    def _stop_clock(self) -> None:
        self.patch.setenv(clock.NOW, self.now.isoformat())

    def pick(self, options: tuple) -> Any:
        return options[self.rng.integers(len(options))]

    # Steps

    def step(self) -> None:
        names = ("ingest", "ingest", "correct", "move", "delete", "redefine", "stream_in", "pass_time", "kill", "copy")
        name = self.pick(names)
        self.steps.append(name)
        getattr(self, name)()

    def _random_event(self, at: datetime) -> Event:
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

    def _past_moment(self, days: float) -> datetime:
        """Returns a random past moment, often at the start of an hour."""
        age = timedelta(days=float(self.rng.random()) * days)
        moment = max(self.now - age, START)
        if self.rng.random() < 0.3:
            moment = moment.replace(minute=0, second=0, microsecond=0)
        return min(moment, self.now - timedelta(microseconds=1))

    def _ingest(self, events: list[Event]) -> None:
        self.batch_number += 1
        for event in events:
            self.events[event["user_id"], event["track_id"], event["event_timestamp"]] = event
        self._add_keys(events)
        frame = pl.DataFrame(events, infer_schema_length=None).drop("platform_id")
        ingest(self.home, f"prove {self.batch_number}", [Batch("plays", frame)])

    def _add_keys(self, events: list[Event]) -> None:
        for name, keys in self.known_keys.items():
            keys |= {
                tuple(event[key] for key in WINDOWED[name].keys)
                for event in events
                if all(event[key] is not None for key in WINDOWED[name].keys)
            }

    def ingest(self) -> None:
        new_events = {}
        for _ in range(self.rng.integers(1, 9)):
            event = self._random_event(self._past_moment(days=float(self.pick((0.01, 1, 4, 30)))))
            key = event["user_id"], event["track_id"], event["event_timestamp"]
            if key not in self.events:
                new_events[key] = event
        if new_events:
            self._ingest(list(new_events.values()))

    def _resend(self, change: Callable[[Event], Event]) -> None:
        if self.events:
            keys = list(self.events)
            selected = {keys[self.rng.integers(len(keys))] for _ in range(3)}
            self.now += timedelta(seconds=1)
            self._stop_clock()
            self._ingest([change(self.events[key]) | {"created_timestamp": self.now} for key in sorted(selected)])

    def correct(self) -> None:
        self._resend(
            lambda event: event | {"ms_played": self.pick((None, 1, 60_000)), "skipped": self.pick((None, True))}
        )

    def move(self) -> None:
        self._resend(lambda event: event | {"artist_id": self.pick(ARTISTS)})

    def delete(self) -> None:
        """Removes a day from the raw tables, after a build: a removed event that no build has read leaves no trace."""
        self.build()
        days = sorted(self.home.raw("plays").glob("date=*"))
        if days:
            day = days[self.rng.integers(len(days))]
            shutil.rmtree(day)
            removed_date = day.name.removeprefix("date=")
            self.events = {key: event for key, event in self.events.items() if str(key[2].date()) != removed_date}

    def redefine(self) -> None:
        name = self.pick(TABLES[:3])
        redefined = dataclasses.replace(WINDOWED[name], where=self.pick(CONDITIONS))
        self.patch.setitem(WINDOWED, name, redefined)

    def stream_in(self) -> None:
        """Streams new plays of the last hours, each once."""
        new_events: list[Event] = []
        for _ in range(self.rng.integers(1, 6)):
            event = self._random_event(self._past_moment(days=0.2))
            key = event["user_id"], event["track_id"], event["event_timestamp"]
            if key not in self.events:
                self.events[key] = event
                new_events.append(event)
        self._add_keys(new_events)
        if new_events:
            append(
                server_of(self.home), Names(self.home.project), [("plays", line) for line in to_json_lines(new_events)]
            )
            self.read()

    def pass_time(self) -> None:
        self.now += timedelta(hours=float(self.pick((0.2, 3, 24, 24 * 9, 24 * 31))))
        self._stop_clock()

    def kill(self) -> None:
        """Starts a build and interrupts it at a random write."""
        writes_left = [int(self.rng.integers(0, 40))]

        def interrupted(write: Callable[..., None]) -> Callable[..., None]:
            def write_or_interrupt(*arguments: Any, **options: Any) -> None:
                writes_left[0] -= 1
                if writes_left[0] < 0:
                    raise KeyboardInterrupt
                write(*arguments, **options)

            return write_or_interrupt

        with pytest.MonkeyPatch.context() as patch:
            for name in ("write_whole", "write_all"):
                patch.setattr(parquet, name, interrupted(getattr(parquet, name)))
            try:
                self.build()
            except KeyboardInterrupt:
                return

    def copy(self) -> None:
        """Continues in a copy of the folder, and removes the data of the original."""
        self._archive()
        redis_server.stop(self.home)
        copy = Home(self.home.root.with_name(f"{self.home.root.name}-{len(self.steps)}"))
        shutil.copytree(self.home.root, copy.root)
        for name in ("raw", "features", "tiles"):
            shutil.rmtree(self.home.root / name, ignore_errors=True)
        self.home = copy
        self.patch.setenv("REFRAIN_HOME", str(copy.root))

    # Build, online store and comparison

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
        self.last_read = self.now
        Reader(
            self.home, Address.from_env(), Stream, Settings(follows="wall", until_idle=True), say=lambda text: None
        ).run()

    def materialize(self) -> None:
        from feature_repo.store import open_store

        open_store(self.home).materialize(datetime(1970, 1, 2, tzinfo=UTC), self.now, feature_views=list(TABLES))

    def check(self) -> int:
        """Compares every key that ever occurred, and returns the number of compared rows."""
        self.build()
        if not parquet.has_dates(self.home.features(TABLES[0])):
            return 0
        method = self.pick(("materialize", "read"))
        self.steps.append(method)
        if method == "read" and self.now - self.last_read > timedelta(days=1):
            self.materialize()  # after a long pause the stream takes expired windows from the batch run
        getattr(self, method)()
        return sum(self._check(WINDOWED[name], name, is_streamed=method == "read") for name in TABLES)

    def _check(self, table: WindowedTable, name: str, *, is_streamed: bool) -> int:
        """Compares a table. The stream leaves keys out whose windows are long empty, unless they lost events."""
        now = clock.microseconds(self.now)
        offline_rows, online_rows = batch(self.home, name, now), online(self.home, name)
        events = list(self.events.values())
        for key in sorted(self.known_keys[name]):
            expected = expected_row(table, events, dict(zip(table.keys, key, strict=True)), now - now % table.unit)
            for store, rows in (("offline", offline_rows), ("online", online_rows)):
                has_no_values = not any(value for name, value in rows.get(key, {}).items() if name != "at")
                if store == "online" and is_streamed and has_no_values and self._is_quiet(table, events, key, now):
                    continue
                self._compare(f"{store} {name} {key}", rows, key, expected)
        return 2 * len(self.known_keys[name])

    def _is_quiet(self, table: WindowedTable, events: list[Event], key: tuple[str, ...], now: int) -> bool:
        own_events = oracle.of_key(table, events, dict(zip(table.keys, key, strict=True)))
        return all(oracle.micros(event["event_timestamp"]) < now - table.reach for event in own_events)

    def _compare(self, label: str, rows: Rows, key: tuple[str, ...], expected: dict[str, Any] | None) -> None:
        row = rows.get(key)
        for feature in expected or {name: None for name, _ in WINDOWED[label.split()[1]].fields}:
            value = None if row is None else row[feature]
            expected_value = None if expected is None else expected[feature]
            assert same(value, expected_value), (label, feature, value, expected_value, " ".join(self.steps))


def expected_row(table: WindowedTable, events: list[Event], key: dict[str, str], at: int) -> dict[str, Any] | None:
    """Returns the values by a loop over all events, or None for a key without events."""
    earlier_events = [
        event for event in oracle.of_key(table, events, key) if oracle.micros(event["event_timestamp"]) < at
    ]
    return oracle.values(table, events, key, at) if earlier_events else None


@pytest.mark.journeys
def test_a_folder_that_lives(applied: Home, tmp_path: Path) -> None:
    proof = proving.Proof("data folders")
    for number, rng in proof.worlds():
        with pytest.MonkeyPatch.context() as patch:
            home = Home(tmp_path / f"world-{number}")
            shutil.copytree(applied.root, home.root, ignore=shutil.ignore_patterns("redis*", "start.lock"))
            patch.setenv("REFRAIN_HOME", str(home.root))
            world = World(home, rng, patch)
            try:
                for _ in range(int(rng.integers(2, 5))):
                    for _ in range(int(rng.integers(1, 6))):
                        world.step()
                    proof.rows += world.check()
            finally:
                redis_server.stop(world.home)
                redis_server.stop(home)
