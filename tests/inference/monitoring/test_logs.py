"""The log of requests: one line each with who, what, how it ended and how long it took; nothing while it is off."""

import json
import logging
import logging.config
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.api.app import create_app
from inference.monitoring import logs
from inference.security.keys import KeyRing
from inference.serve import serve
from tests.serving import serving

REQUEST = {"user_id": "u000007", "count": 1}


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """Reads standard error; the settings of the log are taken back afterwards."""
    root, access = logging.getLogger(), logging.getLogger(logs.ACCESS)
    before = root.handlers[:], root.level, access.level
    yield lambda: capsys.readouterr().err
    root.handlers[:], level, access_level = before
    root.setLevel(level)
    access.setLevel(access_level)


def test_each_request_is_one_json_line(own_world: Home, stderr: Callable[[], str], changes_seen_at_once: None) -> None:
    text, key = KeyRing(own_world).create("web", ["predict"])
    headers = {"authorization": f"Bearer {text}", "x-request-id": "mine"}
    logging.config.dictConfig(logs.settings("json"))
    with TestClient(create_app("unknown", own_world)) as client:
        batch = {"requests": [REQUEST] * 3}
        client.post("/v1/text/analyze?secret=1", json={"texts": ["a gem"]}, headers=headers)
        client.post("/v1/recommendations/batch", json=batch, headers=headers)
        client.post("/v1/recommendations", json=REQUEST, headers=headers)
        client.post("/v1/recommendations", json=REQUEST)
        client.get("/v1/nothing%0A{forged}", headers=headers)
    output = stderr()
    lines = [json.loads(line) for line in output.splitlines()]
    requests = [line for line in lines if line["logger"] == "refrain.access"]
    outcomes = [(line["route"], line["status"], line["outcome"], line["cost"], line["key_id"]) for line in requests]
    assert outcomes == [
        ("/v1/text/analyze", 200, "answered", 1, key.id),
        ("/v1/recommendations/batch", 200, "answered", 3, key.id),
        ("/v1/recommendations", 503, "failed: not promoted", 1, key.id),
        ("unknown", 401, "refused", 1, None),
        ("unknown", 404, "invalid", 1, key.id),
    ]
    assert {line["level"] for line in requests} == {"info"}
    assert requests[0]["request_id"] == "mine"
    assert requests[0]["duration_ms"] > 0
    assert datetime.fromisoformat(requests[0]["time"]).tzinfo is not None
    assert any(line["level"] == "warning" and "a champion of 'unknown'" in line["message"] for line in lines)
    for leaked in (text, "secret", "forged", "u000007"):
        assert leaked not in output


def test_lines_of_text_and_no_log(stderr: Callable[[], str]) -> None:
    scope = {"type": "http", "method": "GET", "client": ("10.0.0.9", 1), "state": {}}
    logs.log_request(scope, "id", "/health", 200, 0.0123)
    assert stderr() == ""
    logging.config.dictConfig(logs.settings("text"))
    logs.log_request(scope, "id", "/health", 200, 0.0123)
    logging.getLogger("refrain.x").warning("two\nlines")
    first, second = stderr().splitlines()
    assert re.fullmatch(
        r"\S+Z info refrain.access: request request_id=id .*outcome=answered cost=1 duration_ms=12.3", first
    )
    assert second.endswith(r"warning refrain.x: two\nlines")


def test_only_addresses_are_proxies(tmp_path: Path) -> None:
    for proxies in ("*", "localhost", "127.0.0.1,", "10.0.0.0/99"):
        with pytest.raises(InputError, match="proxies"):
            serve(Home(tmp_path), proxies=proxies)


@pytest.mark.journeys
def test_addresses_are_believed_of_trusted_proxies_alone(own_world: Home) -> None:
    """Two workers write JSON lines alone, with the address of the caller; a proxy is believed where it is trusted."""
    forwarded = {"x-forwarded-for": "6.6.6.6, 203.0.113.9"}
    for arguments, address in ((("--workers", "2"), "127.0.0.1"), (("--proxies", "127.0.0.1"), "203.0.113.9")):
        with serving(own_world, "--log", "json", *arguments) as (client, process):
            client.post("/v1/recommendations", json=REQUEST, headers=forwarded)
            process.terminate()
            output, _ = process.communicate(timeout=60)
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        (line,) = [line for line in lines if line.get("route") == "/v1/recommendations"]
        assert line["address"] == address
