"""`feast serve`: a client's mistake is a 4xx, an unavailable store a 503."""

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
    RepoConfig,
    ValueType,
)
from feast import feature_server as feast_server
from feast import types as t

from feature_repo.errors import InputError, OnlineUnavailable, StoreError
from feature_repo.home import Home
from feature_repo.stores import redis_server
from feature_repo.stores.http_errors import code_of
from tests.feature_repo.offline.folders import at, write

READ, PUSH, WRITE = "/get-online-features", "/push", "/write-to-online-store"
TIME = "2026-04-03T00:00:00Z"
ROW = {"tree_id": ["1"], "n": [5], "h": [1.0], "event_timestamp": [TIME], "created_timestamp": [TIME]}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of FastAPI's test client and of Feast
        from fastapi.testclient import TestClient

        home = Home(tmp_path_factory.mktemp("serve") / "home").ensure()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("REFRAIN_HOME", str(home.root))
            store = make_store(home)
            with TestClient(feast_server.get_app(store), raise_server_exceptions=False) as test_client:
                yield test_client
            redis_server.stop(home)


def make_store(home: Home) -> FeatureStore:
    day = datetime(2026, 4, 1, tzinfo=UTC)
    path = write(home.root / "trees.parquet", tree_id=["1"], n=[10], h=[1.0], **at(day))
    store = FeatureStore(
        config=RepoConfig(
            project="orchard",
            provider="local",
            registry=str(home.root / "orchard.db"),
            offline_store={"type": "feature_repo.stores.offline.AsOfOfflineStore"},
            online_store={"type": "feature_repo.stores.online.PackedRedisOnlineStore"},
            batch_engine={"type": "feature_repo.stores.engine.PackedComputeEngine"},
            entity_key_serialization_version=3,
        )
    )
    source = FileSource(
        name="files",
        path=str(path),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    tree = Entity(name="tree", join_keys=["tree_id"], value_type=ValueType.STRING)
    trees = FeatureView(
        name="trees",
        entities=[tree],
        schema=[Field(name="n", dtype=t.Int64), Field(name="h", dtype=t.Float64)],
        source=PushSource(name="trees_push", batch_source=source),
        ttl=timedelta(0),
    )
    store.apply([tree, trees, FeatureService(name="service", features=[trees])])
    store.materialize(day - timedelta(days=1), day)
    return store


def test_what_is_right_is_answered(client: Any) -> None:
    assert client.post(READ, json={"features": ["trees:n"], "entities": {"tree_id": ["1"]}}).status_code == 200
    assert client.post(PUSH, json={"push_source_name": "trees_push", "df": ROW, "to": "online"}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"features": ["trees:n"], "entities": {"user": ["1"]}},
        {"features": ["trees:n"], "entities": {}},
        {"features": ["trees:absent"], "entities": {"tree_id": ["1"]}},
        {"features": ["absent:n"], "entities": {"tree_id": ["1"]}},
        {"features": ["n"], "entities": {"tree_id": ["1"]}},
        {"features": ["trees:n"], "entities": {"tree_id": [{"a": 1}]}},
        {"features": ["trees:n"], "entities": {"tree_id": ["1"], "other": ["1", "2"]}},
        {"features": ["trees:n"], "entities": []},
        {"feature_service": "absent", "entities": {"tree_id": ["1"]}},
        {"feature_service": "service", "entities": {"other": ["1"]}},
        {"entities": {"tree_id": ["1"]}},
    ],
)
def test_a_wrong_question_is_a_4xx(client: Any, body: dict[str, Any]) -> None:
    response = client.post(READ, json=body)
    assert 400 <= response.status_code < 500, response.text


@pytest.mark.parametrize("to", ["online", "offline", "online_and_offline", "moon"])
@pytest.mark.parametrize(
    "change",
    [
        {"n": None},
        {"tree_id": None},
        {"event_timestamp": None},
        {"n": ["abc"]},
        {"h": ["high"]},
        {"n": [1, 2]},
        {"event_timestamp": ["no time"]},
    ],
)
def test_a_wrong_push_is_a_4xx(client: Any, to: str, change: dict[str, Any]) -> None:
    rows = {name: values for name, values in {**ROW, **change}.items() if values is not None}
    response = client.post(PUSH, json={"push_source_name": "trees_push", "df": rows, "to": to})
    assert 400 <= response.status_code < 500, response.text
    response = client.post(WRITE, json={"feature_view_name": "trees", "df": rows})
    assert 400 <= response.status_code < 500, response.text


@pytest.mark.filterwarnings("ignore:'HTTP_422_UNPROCESSABLE_ENTITY' is deprecated")  # a warning of Feast
def test_a_push_to_nobody_is_a_4xx(client: Any) -> None:
    assert client.post(PUSH, json={"push_source_name": "absent", "df": ROW, "to": "online"}).status_code == 422


def test_codes() -> None:
    details = {"expected": "a", "found": "b", "next_command": "c"}
    assert code_of(InputError(**details)) == 422
    assert code_of(OnlineUnavailable(**details)) == 503
    assert code_of(StoreError(**details)) == 500
    assert code_of(KeyError("feature"), "POST") == 422
    assert code_of(KeyError("ours"), "GET") == 500
    assert code_of(RuntimeError("ours")) == 500


def test_a_store_that_is_away_is_a_503(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastapi.testclient import TestClient

    store = make_store(home.ensure())
    redis_server.stop(home)
    (home.redis / "appendonly.aof").write_bytes(b"not a log of writes")
    with TestClient(feast_server.get_app(store), raise_server_exceptions=False) as client:
        response = client.post(READ, json={"features": ["trees:n"], "entities": {"tree_id": ["1"]}})
    assert response.status_code == 503
