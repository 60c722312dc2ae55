"""Tests of the route ``POST /v1/anomalies/detect``."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, generate_latest

from feature_repo.home import Home
from inference.api import anomalies, errors
from inference.api.app import create_app
from inference.api.permission import Permission
from inference.monitoring.predictions import PredictionLog

NOW = datetime(2026, 1, 20, tzinfo=UTC)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def client(
    in_telemetry: Home, registry: CollectorRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    monkeypatch.setenv("REFRAIN_ALERTS", str(tmp_path / "alerts.jsonl"))
    app = FastAPI()
    errors.install(app)
    service, log = anomalies.DetectionService(in_telemetry), PredictionLog(in_telemetry)
    anomalies.install(app, service, log, registry, Permission(in_telemetry))
    with TestClient(app) as test_client:
        yield test_client


def request_body(count: int = 1, entity: str = "host-00", **values: Any) -> dict[str, Any]:
    metrics = values or {"cpu_permille": 300, "memory_permille": None}
    observations = [
        {"entity": entity, "at": (NOW + timedelta(minutes=minute)).isoformat(), "values": metrics}
        for minute in range(count)
    ]
    return {"detector": "system", "observations": observations}


def test_what_is_unusual_is_told_counted_and_sent_on(
    client: TestClient, registry: CollectorRegistry, tmp_path: Path
) -> None:
    normal_response = client.post("/v1/anomalies/detect", json=request_body(300, "new-host"))
    assert normal_response.status_code == 200
    assert not any(detection["alarm"] for detection in normal_response.json()["detections"])
    unusual_body = request_body(10, "new-host", cpu_permille=990, memory_permille=990)
    for minute, observation in enumerate(unusual_body["observations"]):
        observation["at"] = (NOW + timedelta(minutes=300 + minute)).isoformat()
    report = client.post("/v1/anomalies/detect", json=unusual_body).json()
    assert any(detection["alarm"] for detection in report["detections"])
    assert report["model"] == "system_anomaly_detector:1"
    assert report["incidents"][0]["entity"] == "new-host"
    assert "cpu_permille" in report["incidents"][0]["causes"]
    deadline = time.monotonic() + 10
    alerts = tmp_path / "alerts.jsonl"
    while not (alerts.exists() and alerts.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    notices = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [notice["id"] for notice in notices] == [report["incidents"][0]["id"]]
    assert b'refrain_alarms_total{detector="system"}' in generate_latest(registry)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"detector": "weather", "observations": [{"entity": "a", "at": NOW.isoformat()}]},
        {"detector": "system", "observations": []},
        {"detector": "system", "observations": [{"entity": "", "at": NOW.isoformat()}]},
        {"detector": "system", "observations": [{"entity": "a", "at": "soon"}]},
        {"detector": "system", "observations": [{"entity": "a", "at": NOW.isoformat(), "values": {"cpu": "high"}}]},
        {"detector": "system", "observations": [{"entity": "a", "at": NOW.isoformat(), "values": {"cpu": [1]}}]},
        {"detector": "system", "observations": [{"entity": "a", "at": NOW.isoformat(), "more": 1}]},
        {"detector": "system", "observations": [{"entity": "a", "at": NOW.isoformat()}] * 1_001},
        {
            "detector": "system",
            "observations": [
                {"entity": "a", "at": NOW.isoformat(), "values": {f"m{number}": 1 for number in range(101)}}
            ],
        },
    ],
)
def test_what_is_no_request_is_a_problem(client: TestClient, wrong: dict[str, Any]) -> None:
    response = client.post("/v1/anomalies/detect", json=wrong)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("text", ['{"detector": NaN}', "[" * 5_000, "", '{"detector": "system"'])
def test_broken_json_is_a_problem(client: TestClient, text: str) -> None:
    response = client.post("/v1/anomalies/detect", content=text, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)


def test_far_times_are_answered_or_refused(client: TestClient) -> None:
    for time_text in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-20T00:00:00+14:00"):
        request = {"detector": "system", "observations": [{"entity": "far", "at": time_text, "values": {"cpu": 1}}]}
        assert client.post("/v1/anomalies/detect", json=request).status_code in (200, 422)


def test_a_detector_that_is_not_promoted_is_unavailable_with_the_next_command(client: TestClient) -> None:
    response = client.post("/v1/anomalies/detect", json=request_body() | {"detector": "user_behavior"})
    assert response.status_code == 503
    assert "model run" in response.json()["next"]


def test_the_application_has_the_route(in_world: Home) -> None:
    with TestClient(create_app()) as test_client:
        assert test_client.post("/v1/anomalies/detect", json=request_body()).status_code == 503
        assert "/v1/anomalies/detect" in test_client.get("/openapi.json").json()["paths"]
