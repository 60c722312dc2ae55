"""The stream on a Redis Cluster of three nodes: its own keys share a slot, its rows are spread over all nodes."""

from pathlib import Path
from typing import Any

import pytest

from feature_repo.home import Home
from feature_repo.packed.entity_key import prefix
from tests.live import clock_of
from tests.servers import redis_cluster
from tests.transforms.stream.test_reader import check, read, send, shuffled
from tests.windowed import plays_of_a_small_world


@pytest.mark.interop
def test_on_a_cluster(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world: list[dict[str, Any]] = plays_of_a_small_world(Home(tmp_path / "world"))[:600]
    with redis_cluster(tmp_path / "cluster") as nodes:
        monkeypatch.setenv("REFRAIN_REDIS", f"{nodes[0].address},redis_type=redis_cluster")
        events = shuffled(world, seed=6)
        for delivery in (events[:350], events[350:]):
            send(home, delivery)
            read(home)
        check(home, clock_of(world))
        pattern = prefix(home.project, "user_session") + b"*"
        assert sum(bool(node.client().keys(pattern)) for node in nodes) == len(nodes)
