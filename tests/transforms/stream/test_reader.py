"""The reader on a real Redis: online values equal those of a batch run, after every disturbance."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from feature_repo.errors import StoreError
from feature_repo.events import Names, append
from feature_repo.home import Home
from feature_repo.manifest import VERSION
from feature_repo.packed.address import Address
from tests.live import assert_same, batch, clock_of, online, server_of, to_json_lines
from tests.music import WINDOWED
from tests.windowed import plays_of_a_small_world
from transforms.batch.build import build
from transforms.raw.read import scan
from transforms.stream.batch_boundary import archive
from transforms.stream.log import Log
from transforms.stream.reader import OtherDefinitions, Reader, Report, Settings
from transforms.stream.sources import Stream


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return plays_of_a_small_world(Home(tmp_path_factory.mktemp("world")))


def shuffled(events: list[dict[str, Any]], seed: int, hours: float = 3.0) -> list[dict[str, Any]]:
    """Returns events in order of arrival, up to ``hours`` late; about five percent arrive twice."""
    rng = random.Random(seed)
    arrivals = [
        (row["event_timestamp"] + timedelta(hours=hours * rng.random() ** 3), n, row) for n, row in enumerate(events)
    ]
    arrivals += [
        (arrival + timedelta(hours=rng.random()), n + len(events), row)
        for arrival, n, row in arrivals
        if rng.random() < 0.05
    ]
    return [row for _, _, row in sorted(arrivals, key=lambda entry: entry[:2])]


def read(home: Home, **settings: Any) -> Report:
    """Reads all waiting events and returns the report."""
    reader_settings = Settings(**{"follows": "events", "until_idle": True, "batch": 97, **settings})
    return Reader(home, Address.from_env(), Stream, reader_settings, say=lambda text: None).run()


def send(home: Home, events: list[dict[str, Any]]) -> None:
    append(server_of(home), Names(home.project), [("plays", event) for event in to_json_lines(events)])


def check(home: Home, clock: int) -> None:
    """Asserts that the online rows equal those of a batch run over all archived events."""
    archive(home, Log(server_of(home), Names(home.project)))
    build(home)
    for name, table in WINDOWED.items():
        assert_same(table, online(home, name), batch(home, name, clock))


def test_out_of_order_and_twice(home: Home, world: list[dict[str, Any]]) -> None:
    events = shuffled(world, seed=1)
    send(home, events)
    report = read(home)
    assert report.counts["accepted"] == len(world)
    assert report.counts["duplicate"] == len(events) - len(world) > 20
    assert report.counts["late"] == 0
    check(home, clock_of(world))


def test_batch_runs_in_between_leave_no_gap(home: Home, world: list[dict[str, Any]]) -> None:
    events = shuffled(world, seed=2)
    splits = [0, 300, 420, 421, 900, len(events)]
    for first, stop in pairwise(splits):
        send(home, events[first:stop])
        read(home)
        check(home, clock_of(events[:stop]))


def test_late_events_wait_for_the_batch_run(home: Home, world: list[dict[str, Any]]) -> None:
    late = [row for row in world if row["event_timestamp"] < world[-1]["event_timestamp"] - timedelta(days=2)][::40]
    on_time = [row for row in world if row not in late]
    send(home, on_time)
    send(home, late)
    report = read(home)
    assert report.counts["late"] == len(late) > 10
    assert report.counts["accepted"] == len(on_time)
    with pytest.raises(AssertionError):
        check(home, clock_of(world))  # the batch run has the late events, the live tables do not yet
    read(home)  # now the live tables have them
    check(home, clock_of(world))


def test_an_event_told_again_in_other_words_waits_for_the_batch_run(home: Home, world: list[dict[str, Any]]) -> None:
    send(home, world)
    amended = {**world[-1], "ms_played": 1, "created_timestamp": world[-1]["created_timestamp"] + timedelta(hours=1)}
    send(home, [amended])
    report = read(home)
    assert (report.counts["accepted"], report.counts["amended"]) == (len(world), 1)
    archive(home, Log(server_of(home), Names(home.project)))
    build(home)
    read(home)
    check(home, clock_of(world))


@pytest.mark.parametrize("sizes", [(3,), (1, 1, 1), (2, 1), (1, 2)])
def test_a_correction_of_the_stream_that_goes_back(
    home: Home, world: list[dict[str, Any]], sizes: tuple[int, ...]
) -> None:
    """The reports come in one delivery or in several, and then all of them again."""
    created = world[0]["created_timestamp"]
    reports = [
        world[0] | {"artist_id": artist, "created_timestamp": created + timedelta(minutes=minute)}
        for minute, artist in enumerate(("x", "y", "x"))
    ]
    ends = [sum(sizes[: index + 1]) for index in range(len(sizes))]
    deliveries = [reports[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    for delivery in (*deliveries, reports):
        send(home, delivery)
        read(home)
    archive(home, Log(server_of(home), Names(home.project)))
    stored = scan(home, "plays").select("artist_id", "created_timestamp").collect().rows()
    assert stored == [("x", created + timedelta(minutes=2))]


def test_what_was_imported_and_is_streamed_again_counts_once(home: Home, world: list[dict[str, Any]]) -> None:
    half = len(world) // 2
    send(home, world[:half])
    read(home)
    check(home, clock_of(world[:half]))
    recent = [
        row for row in world[:half] if row["event_timestamp"] > world[half - 1]["event_timestamp"] - timedelta(hours=5)
    ]
    send(home, [*recent, *world[half:]])
    report = read(home)
    assert report.counts["duplicate"] == len(recent) > 0
    check(home, clock_of(world))


def test_windows_empty_when_time_passes_without_events(home: Home, world: list[dict[str, Any]]) -> None:
    """By the wall clock, plays of years ago have left every window."""
    old = [
        {
            **row,
            "event_timestamp": row["event_timestamp"] - timedelta(days=900),
            "created_timestamp": row["created_timestamp"] - timedelta(days=900),
        }
        for row in world
    ]
    send(home, old)
    read(home)
    now = datetime.now(UTC)
    assert any(row["plays_7d"] for row in online(home, "user_session").values())
    read(home, follows="wall")
    rows = online(home, "user_session")
    assert rows
    assert not any(row["plays_7d"] for row in rows.values())
    assert all(row["idle_seconds_at"] < row["at"] < now.timestamp() * 1e6 for row in rows.values())
    for name in ("user_listening", "track_popularity", "user_artist_affinity", "platform_activity"):
        counts = [row[f"plays_{window}"] for row in online(home, name).values() for window in ("1d", "7d", "28d")]
        assert counts
        assert not any(counts)
    # a lifetime window does not end
    assert any(row["distinct_tracks"] for row in online(home, "user_history").values())


def test_one_reader_at_a_time(home: Home) -> None:
    log, other_log = (Log(server_of(home), Names(home.project)) for _ in range(2))
    log.acquire_lease(lambda text: None)
    messages: list[str] = []
    with pytest.raises(StoreError, match="no other reader"):
        other_log.acquire_lease(messages.append, patience=0.3)
    assert "waiting for" in messages[0]
    log.ask("DEL", log.names.lease)
    other_log.acquire_lease(messages.append)
    with pytest.raises(StoreError, match="taken over"):
        log.commit({}, [], {}, [])()
    other_log.commit({}, [], {"accepted": 1}, [])()
    assert log.ask("HGET", log.names.counts, "accepted") == b"1"
    other_log.release_lease()
    log.acquire_lease(lambda text: None)


def test_a_reader_ends_when_another_definition_is_applied(home: Home, world: list[dict[str, Any]]) -> None:
    def apply(fingerprint: str) -> None:
        home.ensure().manifest.write_text(json.dumps({"version": VERSION, "windowed": {"user_session": fingerprint}}))

    apply(WINDOWED["user_session"].fingerprint)
    send(home, world[:50])
    reader = Reader(home, Address.from_env(), Stream, Settings(follows="events"), say=lambda text: None)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(reader.run)
        apply("another")
        with pytest.raises(OtherDefinitions, match="user_session"):
            running.result(timeout=60)
    apply("another")
    read(home)  # a new reader starts with the definitions of its own process, and loses nothing
    check(home, clock_of(world[:50]))
