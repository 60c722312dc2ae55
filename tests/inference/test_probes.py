"""``/live`` answers whatever is missing; ``/ready`` names everything that is."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from feature_repo.home import Home
from inference.api import places
from inference.api.app import create_app
from inference.api.models import Champions
from inference.api.predictions import PredictionService
from inference.api.readiness import ReadinessCheck
from inference.swap import Live
from tests.servers import RedisServer


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """A Redis at the address that the environment names, which does not run yet."""
    server = RedisServer(tmp_path / "redis")
    monkeypatch.setenv("REFRAIN_REDIS", server.address)
    yield server
    server.kill()


def test_ready_is_false_while_the_store_is_away_and_live_is_not(in_world: Home, store: RedisServer) -> None:
    client = TestClient(create_app(home=in_world))
    response = client.get("/ready")
    assert (response.status_code, response.headers["content-type"]) == (503, "application/problem+json")
    assert response.json()["next"]
    assert store.address not in response.text
    assert client.get("/live").json() == {"status": "live"}
    store.start()
    response = client.get("/ready")
    assert (response.status_code, response.json()["models"]["recommendation"]) == (200, "recommendation:1")
    store.kill()
    assert client.get("/ready").status_code == 503
    assert client.get("/live").status_code == 200


def test_ready_loads_what_is_promoted(in_world: Home) -> None:
    client = TestClient(create_app(home=in_world))
    listed = {model["serves"]: model for model in client.get("/v1/models").json()["models"]}
    promoted = {name for model in listed.values() for name in model["versions"]}
    models = client.get("/ready").json()["models"]
    assert models.keys() >= promoted >= {"recommendation"}
    assert all(version.partition(":")[0] == name for name, version in models.items())


def test_a_promoted_model_that_cannot_be_loaded_is_not_ready(own_world: Home) -> None:
    shutil.copytree(own_world.bundles("recommendation"), own_world.bundles("sentiment_model"))
    client = TestClient(create_app(home=own_world))
    response = client.get("/ready")
    assert response.status_code == 503, response.text
    assert "found text: " in response.json()["detail"]  # says which answers cannot be given
    assert client.get("/live").status_code == client.get("/health").status_code == 200


def test_an_extra_that_is_not_installed_does_not_count(in_world: Home) -> None:
    def load() -> None:
        raise ModuleNotFoundError("No module named 'soundfile'", name="soundfile")

    champions = Champions(CollectorRegistry())
    champions.add("audio", Live(load, ["recommendation"], in_world))
    assert ReadinessCheck(in_world, champions, PredictionService(in_world, champions)).run() == {}


def test_probes_answer_while_no_further_request_is_let_in(in_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    client = TestClient(create_app(home=in_world))
    monkeypatch.setattr(places, "MOST", 0)
    assert client.post("/v1/recommendations", json={"user_id": "u000007"}).status_code == 503
    assert [client.get(path).status_code for path in ("/health", "/ready", "/live")] == [200] * 3
