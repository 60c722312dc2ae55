"""The HTTP API on a real server over loopback."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from fastapi.testclient import TestClient

from feature_repo.home import Home
from inference.api.app import create_app
from inference.recommend.known_rights import KnownRights
from tests.servers import RedisServer
from tests.serving import serving


@pytest.fixture(scope="module")
def server(world: Home) -> Iterator[httpx.Client]:
    """`refrain serve` in a process of its own."""
    with serving(world) as (client, _):
        yield client


def test_a_recommendation(server: httpx.Client) -> None:
    body = {"user_id": "u000007", "count": 7, "context": {"device": "phone", "at": "2026-02-04T10:00:00Z"}}
    response = server.post("/v1/recommendations", json=body)
    assert response.status_code == 200
    answer = response.json()
    assert (answer["known"], len(answer["items"]), answer["model"]) == (True, 7, "recommendation:1")
    assert set(answer["items"][0]) == {
        "track_id",
        "title",
        "artist_id",
        "artist_name",
        "score",
        "source",
        "reason",
        "propensity",
        "explored",
    }


def test_a_stranger_gets_an_answer(server: httpx.Client) -> None:
    answer = server.post("/v1/recommendations", json={"user_id": "nobody"}).json()
    assert (answer["known"], len(answer["items"])) == (False, 10)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "user_id: Field required"),
        ({"user_id": ""}, "user_id: String should have at least 1 character"),
        ({"user_id": "x" * 257}, "user_id: String should have at most 256 characters"),
        ({"user_id": None}, "user_id: Input should be a valid string"),
        ({"user_id": "u", "count": 0}, "count: Input should be greater than or equal to 1"),
        ({"user_id": "u", "count": 501}, "count: Input should be less than or equal to 500"),
        ({"user_id": "u", "count": "many"}, "count: Input should be a valid integer"),
        ({"user_id": "u", "more": 1}, "more: Extra inputs are not permitted"),
        ({"user_id": "u", "context": {"at": "noon"}}, "context.at: Input should be a valid datetime"),
        (
            {"user_id": "u", "exclude_tracks": ["t"] * 1_001},
            "exclude_tracks: List should have at most 1000 items",
        ),
        ([], "body: Input should be a valid dictionary"),
    ],
)
def test_a_wrong_request_gets_a_typed_error(server: httpx.Client, body: object, message: str) -> None:
    response = server.post("/v1/recommendations", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == 422
    assert message in problem["detail"]
    assert problem["next"]


def test_what_is_no_json_or_no_route_gets_a_typed_error(server: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    for content in (b"{", b"\xff\xfe", b""):
        response = server.post("/v1/recommendations", content=content, headers=headers)
        assert response.status_code in (400, 422)
        assert response.json()["title"]
    assert server.get("/v1/nothing").json()["status"] == 404
    assert server.get("/v1/recommendations").json()["status"] == 405


def test_health_and_metrics(server: httpx.Client) -> None:
    assert server.get("/health").json() == {"status": "ok", "model": "recommendation:1", "lost_acts": 0}
    server.post("/v1/recommendations", json={"user_id": "u000007"})
    text = server.get("/metrics").text
    assert re.search(r'refrain_feature_age_seconds\{view="user_history"\} [1-9]', text)
    assert re.search(r'refrain_recommendations_total\{model="recommendation:1",strategy="hybrid"\} [1-9]', text)
    assert 'refrain_http_request_seconds_bucket{le="0.05",route="/v1/recommendations"}' in text


def test_openapi_has_examples_and_typed_errors(server: httpx.Client) -> None:
    document = server.get("/openapi.json").json()
    request = document["components"]["schemas"]["RecommendationRequest"]
    assert request["examples"][0]["user_id"]
    server.post("/v1/recommendations", json=request["examples"][0]).raise_for_status()
    responses = document["paths"]["/v1/recommendations"]["post"]["responses"]
    assert {"200", "422", "503"} <= set(responses)
    assert json.dumps(responses["503"]).count("Problem")
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    assert {} in document["security"]  # no key is needed until one is created


def test_an_online_store_that_is_gone_is_503_and_then_well_again(
    in_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = TestClient(create_app(home=in_world))
    assert before.post("/v1/recommendations", json={"user_id": "u000007", "count": 5}).status_code == 200
    KnownRights.of(in_world).refresh(pause=lambda seconds: None)  # false if models of earlier tests had another store
    server = RedisServer(tmp_path / "redis")
    monkeypatch.setenv("REFRAIN_REDIS", server.address)
    client = TestClient(create_app(home=in_world))
    degraded = client.post("/v1/recommendations", json={"user_id": "u000007", "count": 5}).json()
    assert (len(degraded["items"]), degraded["known"]) == (5, False)
    assert "the online store does not answer" in degraded["note"]
    response = client.get("/health")
    assert response.status_code == 503
    assert response.json()["next"]
    assert "Traceback" not in response.text
    assert "refrain_online_store_up 0.0" in client.get("/metrics").text
    server.start()
    try:
        assert client.get("/health").status_code == 200
        assert "refrain_online_store_up 1.0" in client.get("/metrics").text
    finally:
        server.kill()
