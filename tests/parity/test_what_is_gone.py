"""Retractions reach the online store: moved plays, removed days, changed definitions, dropped views, future rows.

After build and materialize, or after build and the stream, the online values equal a training set of that moment.
"""

import dataclasses
import itertools
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feature_repo import clock, retractions
from feature_repo.definitions.events.plays import plays
from feature_repo.events import Names, append
from feature_repo.home import Home
from feature_repo.packed import entity_key
from feature_repo.packed.address import Address
from feature_repo.stores import redis_server
from feature_repo.windows import column
from feature_repo.windows.table import HOUR
from tests.live import Rows, assert_same, batch, online, server_of
from tests.music import EVENTS, WINDOWED
from tests.worlds import apply
from transforms.batch.build import build
from transforms.raw.ingest import Batch, ingest
from transforms.stream.accept import Gate
from transforms.stream.batch_boundary import archive, load
from transforms.stream.log import Log
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

ZERO = datetime(2026, 4, 1, tzinfo=UTC)
PAIR = "user_artist_affinity"
_batch_numbers = itertools.count()


def at(day: float) -> datetime:
    return ZERO + timedelta(days=day)


def add_plays(
    home: Home, user: str, artist: str, day: float, *, ms: int = 200_000, count: int = 1, late: float = 0.1
) -> None:
    """Ingests plays of different songs, one minute apart."""
    event_times = [at(day) + timedelta(minutes=minute) for minute in range(count)]
    rows = {
        "user_id": [user] * count,
        "track_id": [f"song{number}" for number in range(count)],
        "artist_id": [artist] * count,
        "event_timestamp": event_times,
        "created_timestamp": [time + timedelta(days=late) for time in event_times],
        "ms_played": [ms] * count,
        "skipped": [False] * count,
    }
    ingest(home, f"test {next(_batch_numbers)}", [Batch("plays", pl.DataFrame(rows))])


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A data folder with applied definitions and a single play."""
    home = Home(tmp_path_factory.mktemp("gone") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFRAIN_HOME", str(home.root))
        add_plays(home, "nobody", "none", 0)
        build(home, at(1))
        apply(home)
        yield home
    redis_server.stop(home)


@pytest.fixture
def home(applied: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("REFRAIN_HOME", str(applied.root))
    for name in ("raw", "features", "tiles"):
        shutil.rmtree(applied.root / name, ignore_errors=True)
    redis_server.ensure(applied).flushall()
    return applied


def materialize(home: Home, view: str, until: datetime) -> None:
    from feature_repo.store import open_store

    store = open_store(home)
    store.materialize(datetime(1970, 1, 2, tzinfo=UTC), until, feature_views=[view])


def offline_and_online(
    home: Home, view: str, feature: str, keys: dict[str, list[str]], moment: datetime
) -> tuple[list, list]:
    """Returns the offline values as of a moment, and the online values."""
    from feature_repo.store import open_store

    store, reference = open_store(home), f"{view}:{feature}"
    spine = pl.DataFrame(keys).with_columns(event_timestamp=pl.lit(moment, pl.Datetime("us", "UTC")))
    offline = store.get_historical_features(spine.to_arrow(), [reference]).to_arrow()[feature].to_pylist()
    return offline, store.get_online_features([reference], keys).to_dict()[feature]


def test_plays_that_move_to_another_artist(home: Home) -> None:
    add_plays(home, "ann", "wrong band", 9, count=10)
    add_plays(home, "bob", "x", 11.4)
    build(home, at(11.5))
    materialize(home, PAIR, at(11.5))
    keys = {"user_id": ["ann", "ann"], "artist_id": ["wrong band", "right band"]}
    assert offline_and_online(home, PAIR, "plays_28d", keys, at(11.5)) == ([10, None], [10, None])
    add_plays(home, "ann", "right band", 9, count=10, late=2.6)
    build(home, at(11.8))
    materialize(home, PAIR, at(11.8))
    assert offline_and_online(home, PAIR, "plays_28d", keys, at(11.8)) == ([None, 10], [None, 10])


@pytest.mark.usefixtures("monkeypatch")
def test_a_definition_that_changes_its_condition(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    view, keys = "user_listening", {"user_id": ["ann", "bob", "cat"]}
    add_plays(home, "ann", "x", 9, count=10)
    add_plays(home, "ann", "x", 13, ms=5_000)
    add_plays(home, "cat", "x", 9, ms=5_000, count=3)
    add_plays(home, "bob", "x", 14)
    build(home, at(15))
    materialize(home, view, at(15))
    assert offline_and_online(home, view, "plays_28d", keys, at(15)) == ([11, 1, 3],) * 2
    changed = dataclasses.replace(WINDOWED[view], where=column("ms_played") >= 30_000)
    monkeypatch.setitem(WINDOWED, view, changed)
    build(home, at(15.1))
    materialize(home, view, at(15.1))
    assert offline_and_online(home, view, "plays_28d", keys, at(15.1)) == ([10, 1, None],) * 2
    monkeypatch.undo()
    monkeypatch.setenv("REFRAIN_HOME", str(home.root))
    build(home, at(15.2))
    materialize(home, view, at(15.2))
    assert offline_and_online(home, view, "plays_28d", keys, at(15.2)) == ([11, 1, 3],) * 2


def test_days_that_are_removed(home: Home) -> None:
    view, keys = "user_listening", {"user_id": ["ann", "bob"]}
    add_plays(home, "ann", "x", 1)
    add_plays(home, "ann", "x", 3)
    add_plays(home, "bob", "x", 3)
    build(home, at(5))
    materialize(home, view, at(5))
    assert offline_and_online(home, view, "plays_28d", keys, at(5)) == ([2, 1],) * 2
    shutil.rmtree(home.raw("plays") / f"date={at(3).date()}")
    build(home, at(5.1))
    materialize(home, view, at(5.1))
    assert offline_and_online(home, view, "plays_28d", keys, at(5.1)) == ([1, None],) * 2
    shutil.rmtree(home.raw("plays"))
    add_plays(home, "else", "y", 40)
    build(home, at(41))
    materialize(home, view, at(41))
    assert offline_and_online(home, view, "plays_28d", keys, at(41)) == ([None, None],) * 2


def test_a_profile_that_is_gone(home: Home) -> None:
    def users(*rows: tuple[str, float, str]) -> None:
        frame = pl.DataFrame(
            [
                {"user_id": user, "event_timestamp": at(day), "created_timestamp": at(day), "country": country}
                for user, day, country in rows
            ]
        )
        shutil.rmtree(home.raw("users"), ignore_errors=True)
        ingest(home, "users", [Batch("users", frame)])

    view, keys = "user_profile", {"user_id": ["ann", "bob"]}
    users(("ann", 1, "SE"), ("ann", 3, "DE"), ("bob", 1, "FR"))
    build(home, at(4))
    materialize(home, view, at(4))
    assert offline_and_online(home, view, "country", keys, at(4)) == (["DE", "FR"],) * 2
    users(("ann", 1, "SE"), ("cid", 1, "FR"))
    build(home, at(5))
    materialize(home, view, at(5))
    assert offline_and_online(home, view, "country", keys, at(5)) == (["SE", None],) * 2


def test_no_row_of_the_future_comes_online(home: Home) -> None:
    """Materialize during the day takes the row of last midnight, and replaces a row that came online too early."""
    view, keys = "user_listening", {"user_id": ["ann"]}
    add_plays(home, "ann", "x", 9, count=3)
    add_plays(home, "ann", "x", 10.2, count=7)
    build(home, at(11.5))  # with a clock that is one day fast
    with clock.stopped(at(11.5)):
        materialize(home, view, at(11.5))
    assert offline_and_online(home, view, "plays_28d", keys, at(11.5))[1] == [10]
    with clock.stopped(at(10.5)):
        build(home)
        materialize(home, view, at(12))  # an end in the future means now
        assert offline_and_online(home, view, "plays_28d", keys, clock.now()) == ([3], [3])


def run_stream(home: Home, **settings: Any) -> None:
    stream_settings = Settings(**{"follows": "events", "until_idle": True, **settings})
    Reader(home, Address.from_env(), Stream, stream_settings, say=lambda text: None).run()


def assert_online_equals_batch(home: Home, names: tuple[str, ...], moment: datetime) -> None:
    for name in names:
        rows, expected = online(home, name), batch(home, name, clock.microseconds(moment))
        assert_same(WINDOWED[name], rows_with_values(rows), rows_with_values(expected))


def rows_with_values(rows: Rows) -> Rows:
    """Drops rows without values: a key without events has such a row or no row."""
    return {key: row for key, row in rows.items() if any(row[name] is not None for name in row if name != "at")}


STREAMED = (PAIR, "user_listening", "user_session", "track_popularity", "user_history")


def test_the_stream_carries_what_is_gone(home: Home) -> None:
    add_plays(home, "ann", "wrong band", 9, count=3)
    add_plays(home, "ann", "old band", 8, count=2)
    add_plays(home, "bob", "x", 10.9)
    build(home, at(11))
    with clock.stopped(at(11)):
        run_stream(home, follows="wall")
    assert_online_equals_batch(home, STREAMED, at(11))
    add_plays(home, "ann", "right band", 9, count=3, late=2.1)
    shutil.rmtree(home.raw("plays") / f"date={at(10).date()}")
    build(home, at(11.2))
    assert retractions.list_files(home, PAIR)
    with clock.stopped(at(11.2)):
        run_stream(home, follows="wall")
    assert not retractions.list_files(home, PAIR)
    assert_online_equals_batch(home, STREAMED, at(11.2))
    assert ("ann", "wrong band") not in rows_with_values(online(home, PAIR))
    assert ("bob",) not in rows_with_values(online(home, "user_session"))


def test_materialize_corrects_what_the_stream_wrote_last(home: Home) -> None:
    """The stream wrote a row after the last build, and the play behind this row is removed."""
    add_plays(home, "ann", "x", 5)
    build(home, at(6))
    add_plays(home, "ann", "x", 6.5)
    with clock.stopped(at(6.6)):
        run_stream(home, follows="wall")
    assert online(home, "user_session")["ann",]["plays_7d"] == 2
    shutil.rmtree(home.raw("plays") / f"date={at(6).date()}")
    build(home, at(6.7))
    with clock.stopped(at(6.7)):
        materialize(home, "user_session", at(6.7))
    rows, expected = online(home, "user_session"), batch(home, "user_session", clock.microseconds(at(6.7)))
    assert_same(WINDOWED["user_session"], rows, expected)
    assert online(home, "user_session")["ann",]["plays_7d"] == 1


@pytest.mark.parametrize("ways", list(itertools.product([True, False], repeat=2)))
def test_an_older_event_comes_online_after_a_newer_one_is_gone(home: Home, ways: tuple[bool, bool]) -> None:
    """An older event that arrives after the correction of a newer one comes online."""
    add_plays(home, "ann", "x", 5)
    build(home, at(6))
    add_plays(home, "ann", "x", 6.5)

    def bring_online(now: float, by_stream: bool) -> None:
        with clock.stopped(at(now)):
            run_stream(home, follows="wall") if by_stream else materialize(home, "user_session", at(now))

    with clock.stopped(at(6.61)):
        run_stream(home, follows="wall")
    assert online(home, "user_session")["ann",]["plays_7d"] == 2
    shutil.rmtree(home.raw("plays") / f"date={at(6).date()}")
    build(home, at(6.7))
    bring_online(6.7, ways[0])
    assert online(home, "user_session")["ann",]["plays_7d"] == 1
    add_plays(home, "ann", "x", 6.3, late=0.01)
    build(home, at(6.8))
    bring_online(6.8, ways[1])
    assert_online_equals_batch(home, ("user_session",), at(6.8))
    assert online(home, "user_session")["ann",]["plays_7d"] == 2


@pytest.mark.parametrize("is_archived", [True, False])
@pytest.mark.parametrize("by_stream", [True, False])
def test_a_telling_of_the_stream_that_gives_way_before_any_build(
    home: Home, is_archived: bool, by_stream: bool
) -> None:
    """The row was served from the stream, and no feature table or tile ever had it."""
    add_plays(home, "bob", "x", 5)
    build(home, at(6))
    log, pair = Log(server_of(home), Names(home.project)), ("ann", "wrong band")
    event = {"user_id": "ann", "track_id": "song0", "artist_id": "wrong band", "ms_played": 200_000}
    append(server_of(home), Names(home.project), [("plays", json.dumps(event | event_and_created_time(6.5)).encode())])
    with clock.stopped(at(7.1)):
        run_stream(home, follows="wall", lateness=24 * HOUR)
        assert online(home, PAIR)[pair]["plays_28d"] == 1
        if is_archived:
            archive(home, log)
        add_plays(home, "ann", "right band", 6.5, late=0.65)
        archive(home, log)
    build(home, at(7.3))
    with clock.stopped(at(7.3)):
        run_stream(home, follows="wall") if by_stream else materialize(home, PAIR, at(7.3))
    rows = online(home, PAIR)
    assert rows["ann", "right band"]["plays_28d"] == 1
    assert pair not in rows_with_values(rows)


def event_and_created_time(day: float) -> dict[str, str]:
    return {"event_timestamp": at(day).isoformat(), "created_timestamp": at(day + 0.1).isoformat()}


def test_the_stream_goes_back_with_the_clock(home: Home) -> None:
    """A reader whose clock was days fast computes values as of now after the clock is corrected."""
    add_plays(home, "ann", "x", 5)
    build(home, at(6))
    with clock.stopped(at(20)):
        run_stream(home, follows="wall")
    assert online(home, "user_session")["ann",]["plays_7d"] == 0
    with clock.stopped(at(6)):
        run_stream(home, follows="wall")
    assert_online_equals_batch(home, ("user_session", "user_listening"), at(6))
    assert online(home, "user_session")["ann",]["plays_7d"] == 1


def test_nothing_of_a_reader_runs_ahead_of_the_clock(home: Home) -> None:
    from feature_repo.events import Names, append

    moment = at(6)
    event = {"user_id": "ann", "track_id": "s", "artist_id": "x", "ms_played": 1, "skipped": False}
    message = json.dumps(event | {"event_timestamp": (moment + timedelta(minutes=4)).isoformat()}).encode()
    append(server_of(home), Names(home.project), [("plays", message)])
    with clock.stopped(moment):
        run_stream(home, follows="wall")
    assert online(home, "user_session") == {}
    log, gate = Log(server_of(home), Names(home.project)), Gate(EVENTS["plays"], HOUR)
    later = moment + timedelta(minutes=1)
    state = load(home, log, "plays", gate, clock.microseconds(later), later)  # as after a build
    sessions = next(live_table for live_table in state.tables if live_table.table.name == "user_session")
    assert not len(sessions.due())
    state.advance(clock.microseconds(moment + timedelta(minutes=5)))
    assert len(sessions.due()) == 1
    with clock.stopped(moment + timedelta(minutes=5)):
        run_stream(home, follows="wall")
    assert online(home, "user_session")["ann",]["plays_1h"] == 1


def test_instants_are_cut_off_to_microseconds(home: Home) -> None:
    from feature_repo.events import parse

    template = '{"user_id": "u", "track_id": "t", "event_timestamp": "2026-04-01T00:00:00.%sZ", "ms_played": 1}'
    for digits, micros in (("1234567", 123456), ("999999999", 999999), ("1", 100000), ("0000009", 0)):
        _, time, _ = parse(plays, (template % digits).encode(), clock.microseconds(at(10)))
        assert time == clock.microseconds(ZERO) + micros


def test_a_dropped_view_leaves_the_online_store(home: Home) -> None:
    from feature_repo.store import open_store

    add_plays(home, "ann", "x", 1)
    build(home, at(2))
    materialize(home, "user_history", at(2))
    pattern = entity_key.prefix(home.project, "user_history") + b"*"
    assert list(server_of(home).scan(pattern)) != [[]]
    store = open_store(home)
    store._get_provider().update_infra(home.project, [store.get_feature_view("user_history")], [], [], [], partial=True)
    assert not any(server_of(home).scan(pattern))


def test_every_table_is_closed_alike(home: Home, tmp_path: Path) -> None:
    """After a day is removed, every windowed table of plays equals a fresh build without that day."""
    add_plays(home, "ann", "x", 1, count=2)
    add_plays(home, "ann", "y", 2)
    build(home, at(4))
    shutil.rmtree(home.raw("plays") / f"date={at(2).date()}")
    build(home, at(4.1))
    fresh = Home(tmp_path / "fresh")
    shutil.copytree(home.root / "raw", fresh.root / "raw")
    build(fresh, at(4.1))
    for name, table in WINDOWED.items():
        if table.source.name == "plays":
            actual, expected = (batch(folder, name, clock.microseconds(at(4.1))) for folder in (home, fresh))
            for row in (*actual.values(), *expected.values()):
                row.pop("at")
            extra_rows = {key: row for key, row in actual.items() if key not in expected}
            assert not any(value is not None for row in extra_rows.values() for value in row.values()), name
            assert_same(table, {key: actual[key] for key in expected}, expected)


def test_late_rows_need_materialize(home: Home) -> None:
    """Feast's incremental run reads only event times after its last run."""
    from feature_repo.store import open_store

    view, keys = "user_history", {"user_id": ["ann", "bob"]}
    add_plays(home, "ann", "x", 1)
    build(home, at(4))
    store = open_store(home)
    store.materialize_incremental(at(4), feature_views=[view])
    add_plays(home, "bob", "x", 1.5, late=2.6)
    build(home, at(4.2))
    store.materialize_incremental(at(4.2), feature_views=[view])
    assert offline_and_online(home, view, "distinct_tracks", keys, at(4.2)) == ([1, 1], [1, None])
    materialize(home, view, at(4.2))
    assert offline_and_online(home, view, "distinct_tracks", keys, at(4.2)) == ([1, 1], [1, 1])
