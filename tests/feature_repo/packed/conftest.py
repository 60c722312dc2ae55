"""One Redis per test module, flushed before each test."""

from collections.abc import Iterator

import pytest

from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import Server, open_server
from tests.servers import RedisServer, one_redis


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with one_redis(tmp_path_factory.mktemp("redis") / "data") as server:
        yield server


@pytest.fixture
def redis_server(running: RedisServer) -> RedisServer:
    running.client().flushall()
    running.client().script_flush()
    return running


@pytest.fixture
def server(redis_server: RedisServer, home: Home) -> Server:
    return open_server(home, Address.parse(redis_server.address), timeout=5.0)
