"""The reader, Redis or the batch run is killed at any point and restarted: results equal an undisturbed run's."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from feature_repo.errors import OnlineUnavailable
from feature_repo.events import Names
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.stores import redis_server
from feature_repo.windows.table import DAY
from tests.live import clock_of, server_of, start_reader, to_json_lines
from tests.transforms.stream.test_reader import check, read, send, shuffled
from tests.windowed import plays_of_a_small_world
from transforms.raw import ingest as ingest_module
from transforms.stream import batch_boundary, reader
from transforms.stream import log as log_module
from transforms.stream.log import Log
from transforms.stream.push import Pusher
from transforms.stream.sources import Lines, Stream


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return plays_of_a_small_world(Home(tmp_path_factory.mktemp("world")))


def accepted_count(home: Home) -> int:
    return int(server_of(home).send([("HGET", Names(home.project).counts, "accepted")], [b""])[0] or 0)


@pytest.mark.soak
def test_the_reader_is_killed_again_and_again(home: Home, world: list[dict[str, Any]]) -> None:
    rng = random.Random(5)
    send(home, shuffled(world, seed=3))
    arguments = ("--clock", "events", "--until-idle", "--batch", "7")
    kills = 0
    for _ in range(4):
        count_before, started = accepted_count(home), time.monotonic()
        process = start_reader(home, *arguments)
        while accepted_count(home) == count_before and process.poll() is None and time.monotonic() < started + 60:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.25)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    process = start_reader(home, *arguments)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert kills >= 2
    assert accepted_count(home) == len(world)
    check(home, clock_of(world))


def test_redis_is_killed_while_events_are_counted(home: Home, world: list[dict[str, Any]]) -> None:
    """A producer without an answer sends again: delivery is at least once, counting exactly once."""
    events, problems = shuffled(world, seed=4), []
    client = redis_server.ensure(home)

    def produce() -> None:
        for start in range(0, len(events), 50):
            while True:
                try:
                    send(home, events[start : start + 50])
                    break
                except OnlineUnavailable as error:
                    problems.append(error)
                    time.sleep(0.05)
            time.sleep(0.02)

    producer = threading.Thread(target=produce)
    process = start_reader(home, "--clock", "events", "--batch", "20", "--lateness", "30d")
    producer.start()
    for _ in range(3):
        time.sleep(0.4)
        os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
        client = redis_server.ensure(home)
    producer.join(timeout=120)
    send(home, events)  # events that the kill removed from Redis's append-only file
    deadline = time.monotonic() + 60
    names = Names(home.project)
    while time.monotonic() < deadline:
        groups = client.xinfo_groups(names.stream)
        if groups and not groups[0]["pending"] and groups[0].get("lag", 0) in (0, None) and _all_read(client, names):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    check(home, clock_of(world))


def _all_read(client: Any, names: Names) -> bool:
    last = client.xinfo_stream(names.stream)["last-generated-id"]
    return client.xinfo_groups(names.stream)[0]["last-delivered-id"] == last


def interrupt_call(patch: pytest.MonkeyPatch, owner: Any, name: str, calls: int, *, after: bool) -> None:
    """Patches a method: its call number ``calls`` raises KeyboardInterrupt, before or after the real call."""
    method, call_log = getattr(owner, name), []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        call_log.append(1)
        is_target = len(call_log) == calls
        if is_target and not after:
            raise KeyboardInterrupt
        result = method(*arguments, **options)
        if is_target:
            raise KeyboardInterrupt
        return result

    patch.setattr(owner, name, interrupted)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Log, "commit"),
        pytest.param(Log, "_check_answer", marks=pytest.mark.soak),
        (Pusher, "push"),
        pytest.param(Pusher, "finish", marks=pytest.mark.soak),
        (Stream, "begin"),
        pytest.param(Stream, "_batch", marks=pytest.mark.soak),
    ],
    ids=lambda value: str(value)[-9:],
)
def test_it_dies_between_any_two_steps(
    home: Home, world: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, after: bool
) -> None:
    send(home, world[:400])
    for calls in (1, 2, 6):
        with monkeypatch.context() as patch:
            interrupt_call(patch, owner, name, calls, after=after)
            with pytest.raises(KeyboardInterrupt):
                read(home, batch=40)
        # this process still lives and would hold the lease
        server_of(home).send([("DEL", Names(home.project).lease)], [b""])
    read(home)
    assert accepted_count(home) == 400
    check(home, clock_of(world[:400]))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("owner", "name"), [(batch_boundary, "ingest"), (ingest_module, "commit")])
def test_it_dies_while_events_go_into_the_raw_tables(
    home: Home, world: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, after: bool
) -> None:
    send(home, world[:300])
    read(home)
    log = Log(server_of(home), Names(home.project))
    with monkeypatch.context() as patch:
        interrupt_call(patch, owner, name, 1, after=after)
        with pytest.raises(KeyboardInterrupt):
            batch_boundary.archive(home, log)
    send(home, world[300:400])
    read(home)
    check(home, clock_of(world[:400]))


def test_redis_forgets_the_last_batches(
    home: Home, world: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a power cut: the reader is ahead of Redis, notices it, and restarts from the stored state."""
    send(home, world[:300])
    messages: list[str] = []
    commit, calls = Log.commit, []

    def forget_then_commit(log: Log, *arguments: Any) -> Callable[[], None]:
        calls.append(1)
        if len(calls) == 4:  # only once
            log.ask("HINCRBY", log.names.reader, "batches", -1)
            log.ask("RPOP", log.names.log("plays"))
            send(home, world[:150])
        return commit(log, *arguments)

    monkeypatch.setattr(Log, "commit", forget_then_commit)
    settings = reader.Settings(follows="events", until_idle=True, batch=50, lateness=30 * DAY)
    reader.Reader(home, Address.from_env(), Stream, settings, say=messages.append).run()
    assert sum("forgotten" in line for line in messages) == 1
    check(home, clock_of(world[:300]))


def test_redis_forgets_while_the_last_batch_of_a_file_is_committed(
    home: Home, world: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plays.jsonl"
    path.write_bytes(b"\n".join(to_json_lines(world[:100])))
    commit, calls = Log.commit, []

    def forget_then_commit(log: Log, *arguments: Any) -> Callable[[], None]:
        if not calls:
            log.ask("HINCRBY", log.names.reader, "batches", -1)
        calls.append(1)
        return commit(log, *arguments)

    monkeypatch.setattr(Log, "commit", forget_then_commit)
    settings = reader.Settings(follows="events", lateness=30 * DAY)
    source = partial(Lines, path=path, kind="plays")
    reader.Reader(home, Address.from_env(), source, settings, say=lambda text: None).run()
    assert accepted_count(home) == 100
    check(home, clock_of(world[:100]))


def test_two_batch_runs_at_once_take_everything(
    home: Home, world: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All runs see the same blocks; none may drop a block that another has not stored."""
    monkeypatch.setattr(log_module, "BLOCKS_AT_ONCE", 2)
    send(home, world[:400])
    read(home, batch=20)
    archived_counts: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: archived_counts.append(
                batch_boundary.archive(home, Log(server_of(home), Names(home.project)))
            )
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(archived_counts) == 400
    check(home, clock_of(world[:400]))
