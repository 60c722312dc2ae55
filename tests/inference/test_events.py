"""Tests of the route ``POST /v1/events``: valid events go into the stream, and from there into the online store."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings

from feature_repo.home import Home
from feature_repo.packed.address import Address
from inference.api.app import create_app
from inference.features import OnlineFeatures
from tests.servers import RedisServer
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream


@pytest.fixture
def client(own_world: Home) -> Iterator[TestClient]:
    with TestClient(create_app(home=own_world), raise_server_exceptions=False) as client:
        yield client


def play(minutes_ago: float, **fields: Any) -> dict[str, Any]:
    event_time = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return {
        "user_id": "u000007",
        "track_id": "t000001",
        "event_timestamp": event_time.isoformat(),
        "ms_played": 1_000,
        **fields,
    }


def test_an_event_is_online_after_it_was_read(own_world: Home, client: TestClient, running_clock: None) -> None:
    events = [play(3, artist_id="a00001"), play(2, track_id="t000002", skipped=True), play(90, track_id="t000003")]
    response = client.post("/v1/events", json={"kind": "plays", "events": events})
    assert (response.status_code, response.json()) == (202, {"accepted": 3, "refused": []})
    client.post("/v1/events", json={"kind": "plays", "events": events[:1]})  # the same event again: it counts once
    report = Reader(own_world, Address.from_env(), Stream, Settings(until_idle=True), say=lambda text: None).run()
    assert (report.counts["accepted"], report.counts["duplicate"]) == (3, 1)
    values = OnlineFeatures("session_v1", own_world).get({"user_id": ["u000007"]}).values
    assert [values[f"user_session__plays_{window}"] for window in ("1h", "1d")] == [[2], [3]]
    assert values["user_session__skip_rate_1h"] == [0.5]
    assert list(values["user_session__last_tracks_1d"][0]) == ["t000002", "t000001", "t000003"]
    assert 100 < values["user_session_now__idle_seconds"][0] < 180
    assert "refrain_events_total" in client.get("/metrics").text


def test_a_request_that_is_repeated_after_a_timeout_adds_nothing_and_is_counted(
    own_world: Home, client: TestClient, running_clock: None
) -> None:
    events = [play(minutes, track_id=f"t{minutes:06}") for minutes in (5, 6, 7)]
    body = {"kind": "plays", "events": events}
    answers = [client.post("/v1/events", json=body).json() for _ in range(3)]
    late = client.post("/v1/events", json={"kind": "plays", "events": [*events, play(4)]})
    assert answers == [{"accepted": 3, "refused": []}] * 3
    assert late.json()["accepted"] == 4
    report = Reader(own_world, Address.from_env(), Stream, Settings(until_idle=True), say=lambda text: None).run()
    assert (report.counts["accepted"], report.counts["duplicate"]) == (4, 9)
    values = OnlineFeatures("session_v1", own_world).get({"user_id": ["u000007"]}).values
    assert values["user_session__plays_1h"] == [4]


def test_bad_events_are_told_and_good_ones_taken(client: TestClient) -> None:
    events = [
        play(1),
        {},
        play(1, user_id=""),
        play(1, ms_played="long"),
        play(1, ms_played=-1),
        play(-60 * 24),
        play(1, event_timestamp="1969-12-31T23:59:59Z"),
        play(1, created_timestamp="1990-01-01T00:00:00Z"),
        play(1, device="x" * 257),
        play(1, note="x" * 70_000),
        "play",
        None,
    ]
    answer = client.post("/v1/events", json={"kind": "plays", "events": events}).json()
    assert answer["accepted"] == 1
    assert [refusal["place"] for refusal in answer["refused"]] == list(range(1, len(events)))
    reasons = [refusal["reason"] for refusal in answer["refused"]]
    for reason, words in zip(
        reasons,
        [
            "missing required field event_timestamp",
            "user_id",
            "ms_played: expected int",
            "ms_played",
            "in the future",
            "before 1970",
            "created_timestamp before",
            "device",
            "larger than",
            "expected object",
            "expected object",
        ],
        strict=True,
    ):
        assert words in reason


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 422, "kind"),
        (b"[]", 422, "kind"),
        (b"{", 422, "kind"),
        (b"\xff\xfe", 422, "kind"),
        (b'{"kind": "plays"}', 422, "events"),
        (b'{"kind": "plays", "events": {}}', 422, "array"),
        (b'{"kind": "plays", "events": [], "more": 1}', 422, "more"),
        (b'{"kind": "likes", "events": []}', 422, "'likes'"),
        (json.dumps({"kind": "plays", "events": [{}] * 1_001}).encode(), 422, "1,001 events"),
        (b'{"kind": "plays", "events": ' + b"[" * 100_000, 422, "kind"),
        (b" " * ((1 << 20) + 1), 413, "longer than"),
    ],
)
def test_what_is_no_request_gets_a_typed_error(client: TestClient, body: bytes, status: int, message: str) -> None:
    response = client.post("/v1/events", content=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert message in response.json()["detail"]


FIELD_NAMES = st.sampled_from(["kind", "events", "user_id", "track_id", "plays", "event_timestamp"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | FIELD_NAMES,
    lambda inner: st.lists(inner) | st.dictionaries(FIELD_NAMES, inner),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_nothing_brings_it_down(client: TestClient, body: bytes) -> None:
    assert client.post("/v1/events", content=body).status_code in (202, 413, 422)


def test_a_redis_that_is_gone_is_503(in_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_REDIS", RedisServer(tmp_path / "redis").address)
    client = TestClient(create_app(home=in_world))
    response = client.post("/v1/events", json={"kind": "plays", "events": [play(1)]})
    assert response.status_code == 503
    assert response.json()["next"]


def test_the_example_of_the_docs_is_taken(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    example = content["application/json"]["schema"]["examples"][0]
    assert client.post("/v1/events", json=example).json() == {"accepted": 1, "refused": []}
