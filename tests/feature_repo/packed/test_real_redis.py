"""Real Redis servers through the profiles: password and TLS, Sentinel, and a cluster of three nodes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import REPOSITORY, Home
from feature_repo.packed import entity_key
from feature_repo.packed.address import Address
from feature_repo.packed.server import ClusterServer, get, open_server
from feature_repo.packed.write import Writer
from tests.feature_repo.packed.random_writer import PREFIX, SCHEMA, rows
from tests.processes import run_python
from tests.servers import (
    HOST,
    RedisServer,
    cluster_is_well,
    one_redis,
    redis_behind_sentinel,
    redis_cluster,
    tls_in_front,
    wait_for,
)


def write_and_read(address: Address, home: Home, count: int = 300) -> None:
    """Writes and reads rows with the online store's own reader and writer."""
    server = open_server(home, address, timeout=5.0)
    batch = [(f"u{n}", 5, 5, n) for n in range(count)]
    keys, values = rows(batch)
    assert Writer(server, "p", SCHEMA).write(keys, values) == count
    assert get(server, [*keys, PREFIX + b"nobody}"]) == [*values, None]
    assert sum(map(len, server.scan(PREFIX + b"*"))) == count


def run(home: Home, profile: str, environment: dict[str, str], *arguments: str) -> str:
    """Runs one of Refrain's command lines under a profile and returns its output."""
    variables = {**os.environ, "REFRAIN_HOME": str(home.root), "REFRAIN_PROFILE": profile, **environment}
    process = run_python("-m", *arguments, environment=variables)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture
def built(home: Home) -> Home:
    """A tiny simulated world with built feature tables."""
    from transforms.batch.build import build
    from transforms.raw.simulate.run import simulate
    from transforms.raw.simulate.world import Size

    simulate(home, Size(users=20, tracks=40, days=10, plays=800), seed=1)
    build(home)
    return home


def apply_materialize_and_look_up(home: Home, profile: str, environment: dict[str, str]) -> None:
    """Runs an operator's first steps: apply, materialize, freshness, and a lookup."""
    run(home, profile, environment, "feature_repo", "apply")
    assert "online as of" in run(home, profile, environment, "feature_repo", "materialize")
    assert "user_history" in run(home, profile, environment, "inference", "freshness")
    script = (
        "from inference.features import OnlineFeatures as F; r = F('listener_v1').get({'user_id': ['u000001', 'x']});"
        "print(r.values['user_history__distinct_tracks'], sorted(r.ages()))"
    )
    # serving needs no profile: the manifest has the address
    variables = {**os.environ, "REFRAIN_HOME": str(home.root), **environment}
    call = [sys.executable, "-c", script]
    process = subprocess.run(call, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    known_user, unknown_user = process.stdout.split("]")[0].strip("[").split(", ")
    assert int(known_user) > 0
    assert unknown_user == "None"
    assert not (home.root / "redis" / "redis.sock").exists()  # the embedded server was not used


@pytest.mark.interop
def test_password_and_tls_through_the_profile(built: Home, tmp_path: Path) -> None:
    with (
        one_redis(tmp_path / "data", requirepass="secret") as server,
        tls_in_front(server, tmp_path / "tls") as (port, authority),
    ):
        secret = tmp_path / "secret"
        secret.write_text("secret\n")
        address = f"{HOST}:{port},ssl_ca_certs={authority}"
        apply_materialize_and_look_up(
            built, "redis_tls", {"REFRAIN_REDIS": address, "REFRAIN_REDIS_PASSWORD_FILE": str(secret)}
        )
        assert "secret" not in (built.root / "manifest-default.json").read_text()


def test_wrong_passwords_and_authorities_are_told(home: Home, tmp_path: Path) -> None:
    with one_redis(tmp_path / "data", requirepass="secret") as server:
        write_and_read(Address.parse(f"{server.address},password=secret"), home)
        with pytest.raises(OnlineUnavailable, match="to let us in.*next: export REFRAIN_REDIS_PASSWORD"):
            write_and_read(Address.parse(f"{server.address},password=wrong"), home)
        with (
            tls_in_front(server, tmp_path / "tls") as (port, _),
            pytest.raises(OnlineUnavailable, match="certificate verify failed"),
        ):
            get(open_server(home, Address.parse(f"{HOST}:{port},ssl=true,password=secret"), 5.0), [b"x"])


@pytest.mark.interop
def test_a_redis_of_your_own_through_the_profile(built: Home, tmp_path: Path) -> None:
    with one_redis(tmp_path / "data", requirepass="secret") as server:
        apply_materialize_and_look_up(
            built, "redis", {"REFRAIN_REDIS": f"{server.address},db=3", "REFRAIN_REDIS_PASSWORD": "secret"}
        )
        assert server.client(db=3).dbsize() > 0
        assert server.client(db=0).dbsize() == 0


@pytest.mark.interop
def test_the_next_master_is_found_behind_sentinel(built: Home, home: Home, tmp_path: Path) -> None:
    with redis_behind_sentinel(tmp_path / "redis") as (master, replica, sentinel):
        apply_materialize_and_look_up(built, "sentinel", {"REFRAIN_REDIS": sentinel.address})
        address = Address.parse(sentinel.address, redis_type="redis_sentinel", sentinel_master="mymaster")
        server = open_server(home, address, timeout=1.0)
        writer = Writer(server, "p", SCHEMA, patience=30.0)
        writer.write(*rows([("a", 1, 1, 1)]))
        wait_for(lambda: replica.client().exists(PREFIX + b"a}"))
        master.kill()
        assert writer.write(*rows([("b", 1, 1, 2)])) == 1  # waits for the failover
        assert replica.client().info("replication")["role"] == "master"
        keys, values = rows([("a", 1, 1, 1), ("b", 1, 1, 2)])
        assert get(server, keys) == values


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RedisServer]]:
    with redis_cluster(tmp_path_factory.mktemp("cluster") / "data") as servers:
        yield servers


def cluster_address(servers: list[RedisServer]) -> Address:
    return Address.parse(",".join(server.address for server in servers), redis_type="redis_cluster")


@pytest.mark.interop
def test_a_cluster_through_the_profile(built: Home, cluster: list[RedisServer]) -> None:
    apply_materialize_and_look_up(built, "cluster", {"REFRAIN_REDIS": cluster[0].address})
    sizes = [server.client().dbsize() for server in cluster]
    assert min(sizes) > 0
    output = run(
        built, "cluster", {"REFRAIN_REDIS": cluster[0].address}, "feature_repo", "forget", "user_id", "u000001"
    )
    assert int(output.split()[0]) >= 4
    run(built, "cluster", {"REFRAIN_REDIS": cluster[0].address}, "feature_repo", "feast", "teardown")
    remaining_keys = [name for server in cluster for name in server.client().keys("refrain_default:*{*")]
    assert remaining_keys == []


def test_one_entity_lies_in_one_slot(home: Home, cluster: list[RedisServer]) -> None:
    write_and_read(cluster_address(cluster), home, count=1000)
    entities = [b"u000042", b"6:artistu1", b"", b"with } and { in it", "é".encode()]
    for entity in entities[:2] + entities[3:]:
        slots = {redis.crc.key_slot(entity_key.prefix("p", view) + entity + b"}") for view in ("a", "b", "c{d}")}
        assert len(slots) == 1, entity


def test_what_is_begun_is_written_while_something_else_is_done(home: Home, cluster: list[RedisServer]) -> None:
    server = open_server(home, cluster_address(cluster), timeout=5.0)
    writer = Writer(server, "p", SCHEMA)
    entities = [f"begun{n}" for n in range(60)]
    # the first write registers the schema, and waits
    assert writer.begin(*rows([(entity, 1, 1, 1) for entity in entities]))() == 60
    waits = [writer.begin(*rows([(entity, event, 1, event) for entity in entities])) for event in (3, 2, 4)]
    keys, newest = rows([(entity, 4, 1, 4) for entity in entities])
    wait_for(lambda: get(server, keys) == newest)
    assert [wait() for wait in waits][-1] == 60


def test_slots_that_move_are_followed(home: Home, cluster: list[RedisServer]) -> None:
    server = open_server(home, cluster_address(cluster), timeout=5.0)
    writer = Writer(server, "p", SCHEMA)
    keys, values = rows([("moving", 1, 1, 1)])
    writer.write(keys, values)
    assert isinstance(server, ClusterServer)
    slot = redis.crc.key_slot(keys[0])
    source = next(node for node in cluster if node.port == server.client.nodes_manager.get_node_from_slot(slot).port)
    target = next(node for node in cluster if node is not source)
    ids = {node.port: node.client().execute_command("CLUSTER MYID") for node in (source, target)}
    target.client().execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source.port])
    source.client().execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target.port])
    source.client().execute_command("MIGRATE", HOST, target.port, keys[0], 0, 5000)
    assert get(server, keys) == values  # the slot is in migration: the target node answers
    for owner in (target, source):
        owner.client().execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target.port])
    assert get(server, keys) == values  # the slot has moved
    newer_rows = rows([("moving", 2, 2, 2)])
    assert writer.write(*newer_rows) == 1
    assert get(server, keys) == newer_rows[1]


def test_a_lost_node_is_an_error_and_then_well_again(home: Home, cluster: list[RedisServer]) -> None:
    server = open_server(home, cluster_address(cluster), timeout=1.0)
    writer = Writer(server, "p", SCHEMA, patience=1.0)
    keys, values = rows([(f"u{n}", 9, 9, n) for n in range(200)])
    writer.write(keys, values)
    cluster[1].kill()
    started = time.monotonic()
    with pytest.raises(OnlineUnavailable):
        get(server, keys)
    with pytest.raises(OnlineUnavailable):
        writer.write(keys, values)
    assert time.monotonic() - started < 30
    cluster[1].start()
    wait_for(lambda: all(map(cluster_is_well, cluster)))
    assert get(server, keys) == values  # no confirmed write was lost, and no client was restarted
    assert writer.write(keys, values) == 200
