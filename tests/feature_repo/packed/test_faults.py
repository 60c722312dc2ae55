"""Redis gone, slow, read-only, full, restarted or killed: errors come in time, name the cause, and go away again."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import REPOSITORY, Home
from feature_repo.packed.address import Address
from feature_repo.packed.schema import damaged
from feature_repo.packed.server import OneServer, Server, get, open_server
from feature_repo.packed.write import Writer
from tests.feature_repo.packed.random_writer import PREFIX, SCHEMA, rows
from tests.servers import HOST, RedisServer, free_port, one_redis

ONE_ROW = [("a", 5, 5, 1)]


def test_gone_and_back(server: Server, redis_server: RedisServer) -> None:
    keys, values = rows(ONE_ROW)
    Writer(server, "p", SCHEMA).write(keys, values)
    redis_server.kill()
    started = time.monotonic()
    with pytest.raises(OnlineUnavailable, match="the online store to answer.*next: refrain redis status"):
        get(server, keys)
    with pytest.raises(OnlineUnavailable):
        Writer(server, "p", SCHEMA, patience=0.5).write(keys, values)
    assert time.monotonic() - started < 5
    redis_server.start()
    assert get(server, keys) == [None]
    assert Writer(server, "p", SCHEMA).write(keys, values) == 1
    assert get(server, keys) == values


def test_a_writer_waits_for_a_server_that_comes_back(server: Server, redis_server: RedisServer) -> None:
    keys, values = rows(ONE_ROW)
    writer = Writer(server, "p", SCHEMA)
    redis_server.kill()
    restart = threading.Timer(1.0, redis_server.start)
    restart.start()
    assert writer.write(keys, values) == 1
    restart.join()
    assert get(server, keys) == values


def test_a_cluster_or_sentinel_of_which_nobody_answers(home: Home) -> None:
    unused_address = f"{HOST}:{free_port()}"
    started = time.monotonic()
    for options in ("redis_type=redis_cluster", "redis_type=redis_sentinel,sentinel_master=m"):
        server = open_server(home, Address.parse(f"{unused_address},{options}"), timeout=0.3)
        with pytest.raises(OnlineUnavailable, match="the online store to answer"):
            get(server, [b"p:v:{a}"])
        with pytest.raises(OnlineUnavailable):
            Writer(server, "p", SCHEMA, patience=0.2).write(*rows(ONE_ROW))
    assert time.monotonic() - started < 8  # and not ten seconds an attempt, redis-py's own patience


def test_an_embedded_server_that_cannot_start_is_told(home: Home) -> None:
    home.ensure().redis.mkdir(exist_ok=True)
    (home.redis / "appendonly.aof").write_text("this is no log")
    with pytest.raises(OnlineUnavailable, match=f"the embedded Redis to start.*next: tail {home.redis}"):
        get(open_server(home, Address(), 5.0), [b"p:v:{a}"])


def test_slow_is_bounded(redis_server: RedisServer, home: Home) -> None:
    keys, values = rows(ONE_ROW)
    server = open_server(home, Address.parse(redis_server.address), timeout=0.3)
    Writer(server, "p", SCHEMA).write(keys, values)
    redis_server.pause()
    try:
        started = time.monotonic()
        with pytest.raises(OnlineUnavailable, match="to answer in time"):
            get(server, keys)
        assert time.monotonic() - started < 3
    finally:
        redis_server.resume()
    assert get(server, keys) == values  # not the late answer to the previous request


def test_an_answer_that_comes_too_late_is_never_taken_for_the_next(redis_server: RedisServer, home: Home) -> None:
    server = open_server(home, Address.parse(redis_server.address), timeout=0.2)
    keys, values = rows([("a", 1, 1, 1), ("b", 1, 1, 2)])
    Writer(server, "p", SCHEMA).write(keys, values)
    for _ in range(3):
        redis_server.pause()
        resume = threading.Timer(0.3, redis_server.resume)
        resume.start()
        try:
            answer = get(server, keys[:1])
        except OnlineUnavailable:
            answer = [values[0]]
        resume.join()
        assert answer == values[:1]
        assert get(server, keys[1:]) == values[1:]


def test_read_only_and_back(server: Server, redis_server: RedisServer) -> None:
    keys, values = rows(ONE_ROW)
    Writer(server, "p", SCHEMA).write(keys, values)
    client = redis_server.client()
    client.execute_command("REPLICAOF", "127.0.0.1", 1)
    try:
        with pytest.raises(OnlineUnavailable, match="to take writes.*name the master"):
            Writer(server, "p", SCHEMA, patience=0.2).write(*rows([("b", 1, 1, 1)]))
        assert get(server, keys) == values
    finally:
        client.execute_command("REPLICAOF", "NO", "ONE")
    assert Writer(server, "p", SCHEMA).write(*rows([("b", 1, 1, 1)])) == 1


def test_full_and_back(server: Server, redis_server: RedisServer) -> None:
    keys, values = rows(ONE_ROW)
    writer = Writer(server, "p", SCHEMA, patience=0.2)
    writer.write(keys, values)
    client = redis_server.client()
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(OnlineUnavailable, match="to have room.*maxmemory"):
            writer.write(*rows([("b", 1, 1, 1)]))
        assert get(server, keys) == values
    finally:
        client.config_set("maxmemory", 0)
    assert writer.write(*rows([("b", 1, 1, 1)])) == 1


def test_what_was_confirmed_survives_a_kill_in_mid_write(tmp_path: Path, home: Home) -> None:
    """The server has an append-only file, like the embedded server."""
    with one_redis(tmp_path / "data", appendonly="yes", appendfsync="always") as redis_server:
        call = [sys.executable, "-m", "tests.feature_repo.packed.random_writer", redis_server.address, "7"]
        with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as writer:
            assert writer.stdout is not None
            confirmed = [json.loads(writer.stdout.readline()) for _ in range(50)]
            redis_server.kill()  # the writer retries
            redis_server.start()
            confirmed += [json.loads(writer.stdout.readline()) for _ in range(200)]
            writer.kill()
        newest: dict[str, tuple[int, int]] = {}
        for batch in confirmed:
            for key, event, created, _ in batch:
                newest[key] = max(newest.get(key, (-1, -1)), (event, created))
        server = open_server(home, Address.parse(redis_server.address), 5.0)
        keys = sorted(newest)
        from feature_repo.packed.decode import decode

        block = decode(get(server, [PREFIX + key.encode() + b"}" for key in keys]), SCHEMA, lambda _: None)
        for position, key in enumerate(keys):
            assert (int(block.header["event"][position]), int(block.header["created"][position])) >= newest[key]


def test_somebody_elses_key_is_told(server: Server, redis_server: RedisServer) -> None:
    keys, values = rows(ONE_ROW)
    redis_server.client().hset(keys[0].decode(), "field", "value")
    with pytest.raises(OnlineUnavailable, match="WRONGTYPE"):
        Writer(server, "p", SCHEMA, patience=5.0).write(keys, values)
    assert get(server, keys) == [None]


def test_connections_are_shared_by_threads_and_given_up_in_a_forked_child(
    server: Server, redis_server: RedisServer
) -> None:
    keys, values = rows([(f"u{n}", 1, 1, n) for n in range(50)])
    Writer(server, "p", SCHEMA).write(keys, values)
    failures: list[object] = []
    start = threading.Barrier(9)

    def read(number: int) -> None:
        start.wait()
        for _ in range(300):
            try:
                if get(server, keys[number : number + 3]) != values[number : number + 3]:
                    failures.append(number)
            except Exception as error:
                failures.append(error)

    def write() -> None:
        start.wait()
        for attempt in range(300):
            try:
                Writer(server, "p", SCHEMA).write(keys, values)
            except Exception as error:
                failures.append(error)
            if attempt % 10 == 0:
                server.reconnect()  # as after a failure, while other threads use the server

    server.reconnect()  # all threads connect at the same time
    threads = [threading.Thread(target=read, args=(number,)) for number in range(8)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert isinstance(server, OneServer)
    assert len(server._free) <= 9
    server._process = -1  # as after a fork
    assert get(server, keys[:1]) == values[:1]
    assert len(server._free) == 1


def test_damage_names_the_view() -> None:
    assert "packed values of the view plays" in str(damaged("plays", "noise"))
