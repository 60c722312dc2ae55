"""The newest row wins, whoever writes and in whatever order; confirmed writes are never lost."""

import json
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from feature_repo.home import REPOSITORY
from feature_repo.packed import entity_key
from feature_repo.packed.address import Address
from feature_repo.packed.decode import decode
from feature_repo.packed.encode import names
from feature_repo.packed.freshness import freshness
from feature_repo.packed.schemas import KnownSchemas
from feature_repo.packed.server import Server, get
from feature_repo.packed.write import Writer
from tests.feature_repo.packed.random_writer import PREFIX, SCHEMA, rows
from tests.servers import RedisServer, wait_for


def online(server: Server, keys: list[str]) -> dict[str, Any]:
    raw_values = get(server, [PREFIX + key.encode() + b"}" for key in keys])
    block = decode(raw_values, SCHEMA, lambda _: None)
    values = block.numbers("n").tolist()
    return {key: (block.event[i], values[i]) for i, key in enumerate(keys) if raw_values[i] is not None}


WRITES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(-5, 5) | st.sampled_from([2**50, 2**50 + 1, -(2**61), -(2**61) + 1, 2**32, 2**32 - 1]),
        st.none() | st.integers(-3, 3) | st.sampled_from([2**61, 2**61 + 1]),
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=25,
)


def test_the_newest_wins_in_any_order(server: Server, redis_server: RedisServer) -> None:
    @settings(max_examples=60, deadline=None)
    @given(WRITES, st.data())
    def check(writes: list[tuple[str, int, int | None, int]], data: st.DataObject) -> None:
        redis_server.client().flushall()
        writer = Writer(server, "p", SCHEMA)
        remaining = writes
        while remaining:
            size = data.draw(st.integers(1, len(remaining)))
            writer.write(*rows(remaining[:size]))
            remaining = remaining[size:]
        expected: dict[str, tuple] = {}
        for key, event, created, n in writes:
            rank = (event, -(2**63) if created is None else created)
            if key not in expected or rank >= expected[key][0]:
                expected[key] = (rank, n)
        assert online(server, list("abc")) == {key: (rank[0], n) for key, (rank, n) in expected.items()}

    check()


def test_a_row_of_the_future_gives_way(server: Server, redis_server: RedisServer) -> None:
    """A time far ahead comes from a wrong clock; a row only minutes ahead is within normal clock differences."""
    redis_server.client().flushall()
    writer, now = Writer(server, "p", SCHEMA), time.time_ns() // 1000
    for future in (2**61, now + 3_600_000_000):
        writer.write(*rows([("a", future, None, 1)]))
        assert online(server, ["a"])["a"] == (future, 1)
        writer.write(*rows([("a", now, None, 2)]))
        assert online(server, ["a"])["a"] == (now, 2)
    writer.write(*rows([("b", now + 60_000_000, None, 1)]))
    writer.write(*rows([("b", now, None, 2)]))
    assert online(server, ["b"])["b"] == (now + 60_000_000, 1)


def test_the_count_is_of_rows_that_were_not_older(server: Server) -> None:
    writer = Writer(server, "p", SCHEMA)
    assert writer.write(*rows([("a", 5, 1, 1), ("b", 5, 1, 1)])) == 2
    assert writer.write(*rows([("a", 4, 9, 2), ("b", 5, 0, 2), ("c", 0, None, 2)])) == 1
    assert writer.write(*rows([("a", 5, 1, 1)])) == 1  # the same again
    assert writer.write([], []) == 0


def test_rows_leave_when_they_are_older_than_the_ttl(server: Server, redis_server: RedisServer) -> None:
    now = time.time_ns() // 1000
    writer = Writer(server, "p", SCHEMA, ttl=timedelta(seconds=1000))
    writer.write(*rows([("young", now, None, 1), ("old", now - 2 * 10**9, None, 2), ("ancient", -(2**61), None, 3)]))
    assert online(server, ["young", "old", "ancient"]).keys() == {"young"}
    remaining_ttl = redis_server.client().pttl(PREFIX + b"young}")
    assert 990_000 < remaining_ttl <= 1_000_000
    writer.write(*rows([("old", now - 2 * 10**9 - 5, None, 4)]))
    assert not online(server, ["old"])


def test_a_row_is_replaced_by_an_older_one_where_nobody_has_written_since(
    server: Server, redis_server: RedisServer
) -> None:
    redis_server.client().flushall()
    now = time.time_ns() // 1000
    writer = Writer(server, "p", SCHEMA, ttl=timedelta(seconds=1000))
    keys, read_values = rows([("a", now, 5, 1), ("b", now, 5, 1), ("c", now, 5, 1), ("d", now, 5, 1)])
    writer.write(keys, read_values)
    writer.write(*rows([("b", now, 6, 2), ("d", now, 5, 3)]))  # written by another writer in the meantime
    corrected_values: list[bytes | None] = [*rows([(key, now - 500_000_000, None, 9) for key in "abc"])[1], None]
    assert writer.replace(keys, read_values, corrected_values) == 2
    assert online(server, list("abcd")) == {
        "a": (now - 500_000_000, 9), "b": (now, 2), "c": (now - 500_000_000, 9), "d": (now, 3),
    }  # fmt: skip
    assert 490_000 < redis_server.client().pttl(keys[0]) <= 500_000
    assert writer.replace(keys, read_values, corrected_values) == 0
    assert writer.replace(keys[:1], corrected_values[:1], [None]) == 1  # type: ignore[arg-type]
    assert "a" not in online(server, ["a"])
    writer.write(*rows([("a", 1, 1, 4)]))
    assert not redis_server.client().exists(keys[0])  # older than the ttl
    assert writer.replace([], [], []) == 0


def test_a_schema_is_known_before_its_first_value(server: Server, redis_server: RedisServer) -> None:
    Writer(server, "p", SCHEMA).write(*rows([("a", 1, 1, 1)]))
    assert KnownSchemas(server, "p").of("plays")(SCHEMA.fingerprint) == SCHEMA
    assert KnownSchemas(server, "p").of("plays")(1) is None
    assert KnownSchemas(server, "q").of("plays")(SCHEMA.fingerprint) is None


def test_a_server_that_lost_everything_is_written_again_with_its_schema(
    server: Server, redis_server: RedisServer
) -> None:
    writer = Writer(server, "p", SCHEMA)
    writer.write(*rows([("a", 1, 1, 1)]))
    redis_server.kill()
    redis_server.start()  # the restarted server is empty
    assert writer.write(*rows([("b", 1, 1, 2)])) == 1
    assert online(server, ["a", "b"]) == {"b": (1, 2)}
    assert KnownSchemas(server, "p").of("plays")(SCHEMA.fingerprint) == SCHEMA
    redis_server.client().flushall()  # flushall keeps scripts and connections
    assert writer.write(*rows([("c", 1, 1, 3)])) == 1
    assert KnownSchemas(server, "p").of("plays")(SCHEMA.fingerprint) == SCHEMA


def test_what_is_begun_is_written_while_something_else_is_done(server: Server, redis_server: RedisServer) -> None:
    writer = Writer(server, "p", SCHEMA)
    wait_for_first = writer.begin(*rows([("a", 5, 1, 1)]))
    waits = [writer.begin(*rows([("a", event, 1, event), ("b", event, 1, event)])) for event in (6, 4, 7)]
    wait_for(lambda: online(server, ["a", "b"]) == {"a": (7, 7), "b": (7, 7)})
    assert [wait_for_first(), *(wait() for wait in waits)] == [1, 2, 0, 2]


@pytest.mark.parametrize("lost", ["connection", "everything", "script"])
def test_what_was_begun_and_failed_is_written_again(server: Server, redis_server: RedisServer, lost: str) -> None:
    writer = Writer(server, "p", SCHEMA)
    writer.write(*rows([("a", 1, 1, 1)]))
    client = redis_server.client()
    if lost == "script":
        client.script_flush()
    else:
        client.client_pause(10_000, all=False)  # pauses only writes
    wait = writer.begin(*rows([("a", 2, 1, 2), ("b", 2, 1, 2)]))
    if lost == "connection":
        client.client_kill_filter(_type="normal", skipme=True)
        client.client_unpause()
    elif lost == "everything":
        redis_server.kill()
        wait_for_unsent = writer.begin(*rows([("c", 2, 1, 3)]))
        redis_server.start()  # the restarted server is empty
        assert wait_for_unsent() == 1
    assert wait() == 2
    assert online(server, ["a", "b"]) == {"a": (2, 2), "b": (2, 2)}


def test_what_was_written_is_noted(server: Server) -> None:
    writer = Writer(server, "p", SCHEMA)
    writer.write(*rows([("a", 7_000_000, 1, 1), ("b", 5_000_000, 1, 1)]))
    writer.write(*rows([("a", 6_000_000, 1, 1)]))
    written, unwritten = freshness(server, "p", ["plays", "other"])
    assert (written.newest_event, written.rows_written) == (7.0, 3)
    assert written.written_at == pytest.approx(time.time(), abs=30)
    assert written.age(10.0) == 3.0
    assert (unwritten.newest_event, unwritten.written_at, unwritten.rows_written, unwritten.age(1.0)) == (
        None,
        None,
        0,
        None,
    )


def test_many_writers_in_any_order_and_kills(server: Server, redis_server: RedisServer) -> None:
    """Every confirmed write is kept; a write in progress at a kill may be lost, but no value is torn."""
    call = [sys.executable, "-m", "tests.feature_repo.packed.random_writer", redis_server.address]
    writers = [
        subprocess.Popen([*call, str(seed)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) for seed in range(3)
    ]
    keys, newest_seen, deadline = [f"k{n}" for n in range(40)], {}, time.monotonic() + 60
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    until = time.monotonic() + 2
    while time.monotonic() < until:  # readers never fail, and an entity never goes back in time
        for key, (event, _) in online(server, keys).items():
            assert newest_seen.get(key, -1) <= event
            newest_seen[key] = event
        time.sleep(random.random() / 100)
    confirmed = []
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        output = writer.communicate(timeout=deadline - time.monotonic())[0]
        confirmed += [json.loads(line) for line in output.splitlines() if line.startswith("[[") and line.endswith("]]")]
    newest_confirmed: dict[str, tuple] = {}
    for batch in confirmed:
        for key, event, created, _ in batch:
            newest_confirmed[key] = max(newest_confirmed.get(key, (-1, -1)), (event, created))
    assert len(confirmed) > 20
    raw_values = get(server, [PREFIX + key.encode() + b"}" for key in keys])
    block = decode(raw_values, SCHEMA, lambda _: None)
    for position, key in enumerate(keys):
        rank = (int(block.header["event"][position]), int(block.header["created"][position]))
        assert rank >= newest_confirmed[key]  # never older than a confirmed write; newer only by a write in progress
        assert block.objects("who")[position] == key


@given(
    st.lists(st.tuples(st.text(), st.integers(-(2**63), 2**63 - 1), st.text()), min_size=1, max_size=10, unique=True)
)
def test_names_of_entities_never_collide(keys: list[tuple[str, int, str]]) -> None:
    columns = [pa.array([key[position] for key in keys]) for position in range(3)]
    types = ("String", "Int64", "String")
    redis_keys = names(b"p:v:{", dict(zip("abc", zip(types, columns, strict=True), strict=True))).to_pylist()
    expected = [b"p:v:{" + entity_key.entity([entity_key.part(value) for value in key]) + b"}" for key in keys]
    assert redis_keys == expected
    assert len(set(redis_keys)) == len(keys)
    for redis_key, key in zip(redis_keys, keys, strict=True):
        parts = entity_key.parts(redis_key[5:-1], 3)
        assert parts == [key[0].encode(), str(key[1]).encode(), key[2].encode()]


def test_names_of_views_and_projects_never_collide() -> None:
    assert entity_key.prefix("a", "b:{c") == b"a:b%3A%7Bc:{"
    assert not entity_key.prefix("dev_music", "v").startswith(entity_key.prefix("music", "v"))
    redis_keys = names(b"x", {"k": ("String", pa.array(["u", None]))})
    assert redis_keys.to_pylist() == [b"xu}", None]
    with pytest.raises(ValueError, match="does not have 2 keys"):
        entity_key.parts(b"9:abc", 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("localhost", "'localhost' among the hosts"),
        ("h:1,colour=red", "option 'colour'"),
        ("h:1,redis_type=moon", "redis_type=moon"),
        ("h:1,redis_type=redis_sentinel", "without sentinel_master"),
    ],
)
def test_wrong_addresses_are_told(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"{message}.*next: export REFRAIN_REDIS="):
        Address.parse(text)


def test_secrets_stay_out_of_the_manifest() -> None:
    address = Address.parse("h:1,password=secret,ssl=true,db=2", redis_type="redis")
    assert address.public() == {"redis_type": "redis", "ssl": "true", "db": "2"}
    assert "secret" not in str(address)
