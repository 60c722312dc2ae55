"""Password and TLS, Sentinel, and a cluster of three nodes: through the profiles, on real servers."""

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
    """Through the runtime parts alone."""
    server = open_server(home, address, timeout=5.0)
    batch = [(f"u{n}", 5, 5, n) for n in range(count)]
    keys, values = rows(batch)
    assert Writer(server, "p", SCHEMA).write(keys, values) == count
    assert get(server, [*keys, PREFIX + b"nobody}"]) == [*values, None]
    assert sum(map(len, server.scan(PREFIX + b"*"))) == count


def run(home: Home, profile: str, environment: dict[str, str], *words: str) -> str:
    """One of our command lines under a profile."""
    own = {**os.environ, "REFRAIN_HOME": str(home.root), "REFRAIN_PROFILE": profile, **environment}
    done = run_python("-m", *words, environment=own)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def built(home: Home) -> Home:
    """A tiny world with feature tables."""
    from transforms.batch.build import build
    from transforms.raw.simulate.run import simulate
    from transforms.raw.simulate.world import Size

    simulate(home, Size(users=20, tracks=40, days=10, plays=800), seed=1)
    build(home)
    return home


def everything(home: Home, profile: str, environment: dict[str, str]) -> None:
    """Apply, materialize, look up, see the ages: what an operator does first."""
    run(home, profile, environment, "feature_repo", "apply")
    assert "online as of" in run(home, profile, environment, "feature_repo", "materialize")
    assert "user_history" in run(home, profile, environment, "inference", "freshness")
    script = (
        "from inference.features import OnlineFeatures as F; r = F('listener_v1').get({'user_id': ['u000001', 'x']});"
        "print(r.values['user_history__distinct_tracks'], sorted(r.ages()))"
    )
    own = {**os.environ, "REFRAIN_HOME": str(home.root), **environment}  # serving needs no profile: the manifest says
    call = [sys.executable, "-c", script]
    done = subprocess.run(call, cwd=REPOSITORY, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    known, unknown = done.stdout.split("]")[0].strip("[").split(", ")
    assert int(known) > 0
    assert unknown == "None"
    assert not (home.root / "redis" / "redis.sock").exists()  # nothing went to the embedded server


@pytest.mark.interop
def test_password_and_tls_through_the_profile(built: Home, tmp_path: Path) -> None:
    with (
        one_redis(tmp_path / "data", requirepass="secret") as server,
        tls_in_front(server, tmp_path / "tls") as (port, authority),
    ):
        secret = tmp_path / "secret"
        secret.write_text("secret\n")
        where = f"{HOST}:{port},ssl_ca_certs={authority}"
        everything(built, "redis_tls", {"REFRAIN_REDIS": where, "REFRAIN_REDIS_PASSWORD_FILE": str(secret)})
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
        everything(built, "redis", {"REFRAIN_REDIS": f"{server.address},db=3", "REFRAIN_REDIS_PASSWORD": "secret"})
        assert server.client(db=3).dbsize() > 0
        assert server.client(db=0).dbsize() == 0


@pytest.mark.interop
def test_the_next_master_is_found_behind_sentinel(built: Home, home: Home, tmp_path: Path) -> None:
    with redis_behind_sentinel(tmp_path / "redis") as (master, replica, sentinel):
        everything(built, "sentinel", {"REFRAIN_REDIS": sentinel.address})
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


def clustered(servers: list[RedisServer]) -> Address:
    return Address.parse(",".join(server.address for server in servers), redis_type="redis_cluster")


@pytest.mark.interop
def test_a_cluster_through_the_profile(built: Home, cluster: list[RedisServer]) -> None:
    everything(built, "cluster", {"REFRAIN_REDIS": cluster[0].address})
    sizes = [server.client().dbsize() for server in cluster]
    assert min(sizes) > 0
    forgotten = run(
        built, "cluster", {"REFRAIN_REDIS": cluster[0].address}, "feature_repo", "forget", "user_id", "u000001"
    )
    assert int(forgotten.split()[0]) >= 4
    run(built, "cluster", {"REFRAIN_REDIS": cluster[0].address}, "feature_repo", "feast", "teardown")
    left = [name for server in cluster for name in server.client().keys("refrain_default:*{*")]
    assert left == []


def test_one_entity_lies_in_one_slot(home: Home, cluster: list[RedisServer]) -> None:
    write_and_read(clustered(cluster), home, count=1000)
    entities = [b"u000042", b"6:artistu1", b"", b"with } and { in it", "é".encode()]
    for entity in entities[:2] + entities[3:]:
        slots = {redis.crc.key_slot(entity_key.prefix("p", view) + entity + b"}") for view in ("a", "b", "c{d}")}
        assert len(slots) == 1, entity


def test_what_is_begun_is_written_while_something_else_is_done(home: Home, cluster: list[RedisServer]) -> None:
    server = open_server(home, clustered(cluster), timeout=5.0)
    writer = Writer(server, "p", SCHEMA)
    names = [f"begun{n}" for n in range(60)]
    assert writer.begin(*rows([(name, 1, 1, 1) for name in names]))() == 60  # the first one announces, and waits
    waits = [writer.begin(*rows([(name, event, 1, event) for name in names])) for event in (3, 2, 4)]
    keys, newest = rows([(name, 4, 1, 4) for name in names])
    wait_for(lambda: get(server, keys) == newest)
    assert [wait() for wait in waits][-1] == 60


def test_slots_that_move_are_followed(home: Home, cluster: list[RedisServer]) -> None:
    server = open_server(home, clustered(cluster), timeout=5.0)
    writer = Writer(server, "p", SCHEMA)
    keys, values = rows([("moving", 1, 1, 1)])
    writer.write(keys, values)
    assert isinstance(server, ClusterServer)
    slot = redis.crc.key_slot(keys[0])
    source = next(s for s in cluster if s.port == server.client.nodes_manager.get_node_from_slot(slot).port)
    target = next(s for s in cluster if s is not source)
    ids = {s.port: s.client().execute_command("CLUSTER MYID") for s in (source, target)}
    target.client().execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source.port])
    source.client().execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target.port])
    source.client().execute_command("MIGRATE", HOST, target.port, keys[0], 0, 5000)
    assert get(server, keys) == values  # asked for where it is going
    for node in (target, source):
        node.client().execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target.port])
    assert get(server, keys) == values  # moved
    newer = rows([("moving", 2, 2, 2)])
    assert writer.write(*newer) == 1
    assert get(server, keys) == newer[1]


def test_a_lost_node_is_an_error_and_then_well_again(home: Home, cluster: list[RedisServer]) -> None:
    server = open_server(home, clustered(cluster), timeout=1.0)
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
    assert get(server, keys) == values  # nothing confirmed was lost, and nobody was restarted
    assert writer.write(keys, values) == 200
