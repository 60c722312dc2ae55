"""Access over HTTP: keys, roles, rate limits, and the audit log."""

import asyncio
import csv
import io
import json
import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from feature_repo.appended_lines import append_line
from feature_repo.errors import BundleError, InputError
from feature_repo.home import Home
from inference.__main__ import app as command
from inference.api import body as bodies
from inference.api import features, places
from inference.api.access import ANYBODY, OPEN, RULES, role_of
from inference.api.acts import request_fields
from inference.api.app import create_app
from inference.monitoring import background_log
from inference.security.audit import MAX_REFUSALS_PER_SECOND, AuditLog, acts
from inference.security.caller import ROLES, Limits
from inference.security.keys import KeyRing
from inference.serve import serve
from refrain.cli import app as refrain_command

REQUEST = {"user_id": "u000007", "count": 1}


def _observation(detector: str, entity: str) -> dict[str, object]:
    at = datetime.now(UTC).isoformat()
    return {"detector": detector, "observations": [{"entity": entity, "at": at, "values": {}}]}


@pytest.fixture
def client(own_world: Home, changes_seen_at_once: None) -> Iterator[TestClient]:
    with TestClient(create_app(home=own_world), raise_server_exceptions=False) as test_client:
        yield test_client


def _key_headers(home: Home, *roles: str, limits: Limits = Limits()) -> dict[str, str]:  # noqa: B008
    key_text, _ = KeyRing(home).create("test", roles, limits=limits)
    return {"authorization": f"Bearer {key_text}"}


def _close_access(client: TestClient) -> None:
    client.app.state.access._closed = True  # type: ignore[attr-defined]


OPEN_PATHS = ("/health", "/live", "/ready", "/console/login", "/console/style.css")


def test_every_route_asks_for_what_it_should(client: TestClient) -> None:
    """A route that matches no rule needs a key, and must be on this list: a new route needs a decision."""
    routes_for_any_key = {"/v1/models", "/openapi.json", "/docs", "/redoc", "/docs/oauth2-redirect"}
    for route in client.app.routes:  # type: ignore[attr-defined]
        path = route.path
        role = role_of("POST" if isinstance(route, APIRoute) and "POST" in route.methods else "GET", path)
        assert role != ANYBODY or path in routes_for_any_key or path == "/v1/experiments", path
        assert role != OPEN or path in OPEN_PATHS, path
    assert {role for _, _, role in RULES} - {OPEN, ANYBODY} == set(ROLES)


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("POST", "/v1/features/listener_v1", "read_features"),
        ("POST", "/v1/features/listener_v1/", "read_features"),
        ("POST", "/v1/featuresque", ANYBODY),
        ("GET", "/v1/experiments", ANYBODY),
        ("POST", "/v1/experiments/x/stop", "administer"),
        ("DELETE", "/v1/experiments", "administer"),
        ("HEAD", "/v1/experiments", "administer"),
        ("GET", "/console/reports/x", "predict"),
        ("GET", "/", "predict"),  # it says who holds a break-glass
        ("GET", "/healthz", ANYBODY),
    ],
)
def test_roles_of_paths(method: str, path: str, role: str) -> None:
    assert role_of(method, path) == role


def test_without_keys_everybody_is_served_and_nobody_administers(client: TestClient) -> None:
    assert client.post("/v1/recommendations", json=REQUEST).status_code == 200
    assert client.post("/v1/experiments/x/stop", json={"reason": "x"}).status_code == 403


def test_the_first_key_closes_the_doors(client: TestClient, own_world: Home) -> None:
    headers = _key_headers(own_world, "predict")
    response = client.post("/v1/recommendations", json=REQUEST)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert response.json()["next"].startswith("refrain keys create")
    assert client.post("/v1/recommendations", json=REQUEST, headers=headers).status_code == 200
    assert (
        client.post(
            "/v1/recommendations", json=REQUEST, headers={"x-api-key": headers["authorization"][7:]}
        ).status_code
        == 200
    )
    own_world.keys.unlink()  # without the file of keys, access stays closed
    assert client.post("/v1/recommendations", json=REQUEST).status_code == 401
    assert client.post("/v1/recommendations", json=REQUEST, headers=headers).status_code == 401
    assert client.get("/health").status_code == 200


def test_a_role_opens_its_routes_alone(client: TestClient, own_world: Home) -> None:
    requests = {
        "predict": ("/v1/recommendations", REQUEST),
        "read_features": ("/v1/features/listener_v1", {"keys": {"user_id": ["u000007"]}}),
        "send_events": ("/v1/feedback", {"acts": [{"user_id": "u000007", "action": "like", "track_id": "t000001"}]}),
        "administer": ("/v1/experiments/none/stop", {"reason": "x"}),
    }
    headers = {role: _key_headers(own_world, role) for role in requests}
    _close_access(client)
    for role, header in headers.items():
        for other_role, (path, body) in requests.items():
            status = client.post(path, json=body, headers=header).status_code
            assert (status != 403) == (role == other_role), (role, path, status)
            assert status != 401


def test_a_scraper_reads_the_metrics_and_nothing_else(client: TestClient, own_world: Home) -> None:
    scraper, others = _key_headers(own_world, "metrics"), _key_headers(own_world, *set(ROLES) - {"metrics"})
    _close_access(client)
    assert client.get("/metrics", headers=scraper).status_code == 200
    assert client.get("/metrics", headers=others).status_code == 403
    for path in ("/v1/models", "/v1/experiments", "/docs", "/openapi.json", "/"):
        assert client.get(path, headers=scraper).status_code == 403, path
        assert client.get(path, headers=others).status_code == 200, path
    assert client.post("/v1/recommendations", json=REQUEST, headers=scraper).status_code == 403


def test_all_that_is_refused_looks_alike_and_is_written_down(client: TestClient, own_world: Home) -> None:
    ring = KeyRing(own_world)
    revoked, key = ring.create("old", ["predict"])
    ring.revoke(key.id)
    _close_access(client)
    key_texts = [revoked, revoked[:-1] + "!", "rf_00000000_" + "A" * 43, "", "nonsense", "rf_" + "x" * 9_000]
    responses = [
        client.post("/v1/recommendations", json=REQUEST, headers={"authorization": f"Bearer {key_text}"})
        for key_text in key_texts
    ]
    assert {response.status_code for response in responses} == {401}
    assert len({response.content for response in responses}) == 1
    client.app.state.access.audit.flush()  # type: ignore[attr-defined]
    refusals = [act for act in acts(own_world) if act["act"] == "refused"]
    assert {act["reason"] for act in refusals} >= {"revoked key", "no key", "unknown key"}
    assert {act["key"] for act in refusals if act["reason"] == "revoked key"} == {key.id}
    assert all(act["path"] == "/v1/recommendations" and act["request_id"] for act in refusals)
    log_content = b"".join(file.read_bytes() for file in own_world.audit_log.rglob("*.jsonl"))
    assert revoked[12:].encode() not in log_content


def test_a_rate_and_a_quota(client: TestClient, own_world: Home) -> None:
    rate_headers, quota_headers = (
        _key_headers(own_world, "predict", limits=Limits(0.5, 3)),
        _key_headers(own_world, "predict", limits=Limits(99, 99, 2)),
    )
    _close_access(client)
    responses = [client.post("/v1/recommendations", json=REQUEST, headers=rate_headers) for _ in range(5)]
    assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
    assert 1 <= int(responses[-1].headers["retry-after"]) <= 3
    responses = [client.post("/v1/recommendations", json=REQUEST, headers=quota_headers) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert "daily quota" in responses[-1].json()["detail"]
    metrics = client.get("/metrics", headers=_key_headers(own_world, "metrics")).text
    assert 'refrain_refusals_total{reason="rate"} 2.0' in metrics
    assert 'refrain_refusals_total{reason="quota"} 1.0' in metrics


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/recommendations/batch", {"requests": [REQUEST] * 30}),
        ("/v1/text/analyze", {"texts": ["a gem of a record " * 300] * 6}),
        ("/v1/features/listener_v1", {"keys": {"user_id": [f"u{number:06}" for number in range(1_000)]}}),
    ],
    ids=["batch", "texts", "features"],
)
def test_a_request_counts_as_what_it_costs(
    client: TestClient, own_world: Home, monkeypatch: pytest.MonkeyPatch, path: str, body: dict
) -> None:
    """More than the burst passes when the bucket is full; then the next one waits for the debt to be paid back."""
    monkeypatch.setattr(features, "VALUES", 100)
    headers = _key_headers(own_world, "predict", "read_features", limits=Limits(0.01, 5))
    assert client.post(path, json=body, headers=headers).status_code == 200
    response = client.post("/v1/recommendations", json=REQUEST, headers=headers)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 300
    partly_used = _key_headers(own_world, "predict", "read_features", limits=Limits(0.01, 5))
    assert client.post("/v1/recommendations", json=REQUEST, headers=partly_used).status_code == 200
    response = client.post(path, json=body, headers=partly_used)
    assert response.status_code == 429
    assert "cost as much as" in response.json()["detail"]


def test_reads_of_features_and_acts_of_administrators_are_written_down(client: TestClient, own_world: Home) -> None:
    headers = _key_headers(own_world, "read_features", "administer")
    client.post("/v1/features/listener_v1", json={"keys": {"user_id": ["u000007"]}}, headers=headers)
    client.post("/v1/experiments/none/stop", json={"reason": "x"}, headers={**headers, "x-request-id": "mine"})
    client.app.state.access.audit.flush()  # type: ignore[attr-defined]
    logged_acts = [act["act"] for act in acts(own_world)]
    assert logged_acts == ["features", "administer"]
    assert [act["request_id"] for act in acts(own_world)][1] == "mine"
    read = next(acts(own_world))
    assert (read["service"], read["rows"], read["keys"]) == ("listener_v1", 1, {"user_id": ["u000007"]})
    assert read["path"] == "/v1/features/listener_v1"
    assert {stat.S_IMODE(file.stat().st_mode) for file in own_world.audit_log.rglob("*.jsonl")} == {0o600}


@pytest.mark.parametrize(
    ("path", "body", "act", "keys"),
    [
        ("/v1/recommendations", REQUEST, "recommendation", [{"user_id": ["u000007"]}]),
        (
            "/v1/recommendations/batch",
            {"requests": [REQUEST, {"user_id": "u000009", "count": 1}]},
            "recommendation",
            [{"user_id": ["u000007"]}, {"user_id": ["u000009"]}],
        ),
        ("/console/recommend?user=u000007", None, "recommendation", [{"user_id": ["u000007"]}]),
        ("/v1/forecasts", {"entity": "user", "id": "u000007"}, "forecast", [{"user_id": ["u000007"]}]),
        ("/v1/forecasts", {"entity": "track", "id": "t000007"}, "forecast", []),
        ("/v1/anomalies/detect", _observation("user_behavior", "u000007"), "detection", [{"user_id": ["u000007"]}]),
        ("/v1/anomalies/detect", _observation("security", "192.0.2.7"), "detection", [{"client_ip": ["192.0.2.7"]}]),
        ("/v1/anomalies/detect", _observation("system", "host-01"), "detection", []),
    ],
)
def test_answers_about_people_name_whose_rows_they_read(
    client: TestClient, own_world: Home, path: str, body: dict[str, object] | None, act: str, keys: list[object]
) -> None:
    headers = _key_headers(own_world, "predict")
    response = client.get(path, headers=headers) if body is None else client.post(path, json=body, headers=headers)
    assert response.status_code in (200, 503)  # where no model is promoted, the act was written before it was seen
    client.app.state.access.audit.flush()  # type: ignore[attr-defined]
    assert [written["keys"] for written in acts(own_world) if written["act"] == act] == keys


def test_an_act_that_cannot_be_written_is_counted_shown_and_refused_where_that_is_asked_for(
    own_world: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk an audit log loses acts, and says so; a required one refuses them."""

    def full(path: Path, line: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    path, body = "/v1/features/listener_v1", {"keys": {"user_id": ["u000007"]}}
    headers = _key_headers(own_world, "read_features", "metrics", "administer")
    monkeypatch.setattr(background_log, "append_line", full)
    with TestClient(create_app(home=own_world)) as client:
        assert client.get("/health").json()["lost_acts"] == 0
        assert client.post(path, json=body, headers=headers).status_code == 200
        client.app.state.access.audit.flush()  # type: ignore[attr-defined]
        assert client.get("/health").json()["lost_acts"] == 1
        assert 'refrain_log_left_out_total{log="acts"} 1.0' in client.get("/metrics", headers=headers).text
    monkeypatch.setenv("REFRAIN_AUDIT", "required")
    with TestClient(create_app(home=own_world)) as client:
        for url, content in ((path, body), ("/v1/experiments/none/stop", {"reason": "x"})):
            response = client.post(url, json=content, headers=headers)
            assert (response.status_code, "No space left" in response.json()["detail"]) == (503, True)
        assert client.get("/health").json()["lost_acts"] == 2
        monkeypatch.undo()
        assert client.post(path, json=body, headers=headers).status_code == 200
        assert [act["act"] for act in acts(own_world)] == ["features"]  # written before it was answered
    monkeypatch.setenv("REFRAIN_AUDIT", "yes")
    with pytest.raises(InputError):
        AuditLog.from_env(own_world)


def test_a_line_that_does_not_fit_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, write = tmp_path / "lines", os.write
    append_line(file, b"one")
    monkeypatch.setattr(os, "write", lambda handle, content: write(handle, content[:2]))
    with pytest.raises(OSError, match="No space left"):
        append_line(file, b"two")
    monkeypatch.undo()
    append_line(file, b"three")
    assert file.read_bytes() == b"one\nthree\n"


def test_only_addresses_are_written_down_as_addresses(client: TestClient, own_world: Home) -> None:
    """What a trusted proxy passes on is any text of its caller."""
    scope = {"client": ("=cmd()|forged", 0), "method": "GET", "path": "/"}
    assert request_fields(scope, "r")["address"] == ""
    assert request_fields({**scope, "client": ("2001:db8::7", 1)}, "r")["address"] == "2001:db8::7"


def test_no_line_break_of_a_caller_makes_a_line(client: TestClient, own_world: Home) -> None:
    _close_access(client)
    client.post('/v1/x%0A{"act":"forged"}', json={})
    client.post("/v1/x%0D%0A=cmd()", json={}, headers={"authorization": "Bearer a\tb"})
    client.app.state.access.audit.flush()  # type: ignore[attr-defined]
    lines = [line for file in own_world.audit_log.rglob("*.jsonl") for line in file.read_bytes().splitlines()]
    assert [json.loads(line)["act"] for line in lines] == ["refused", "refused"]
    result = CliRunner().invoke(refrain_command, ["audit", "show", "--csv"], env={"REFRAIN_HOME": str(own_world.root)})
    rows = list(csv.reader(io.StringIO(result.output)))
    assert len(rows) == 3
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row)


def test_an_attack_does_not_fill_the_disk(tmp_path: Path) -> None:
    """Of five thousand refusals at once, the log holds a limited number, and the count of those it left out."""
    log = AuditLog(Home(tmp_path))
    for number in range(5_000):
        log.put("refused", path=f"/{number}")
    log.put("administer")
    log.flush()
    logged_acts = list(acts(Home(tmp_path)))
    assert MAX_REFUSALS_PER_SECOND < len(logged_acts) < 10 * MAX_REFUSALS_PER_SECOND
    assert sum(act.get("unwritten", 0) + (act["act"] == "refused") for act in logged_acts) == 5_000
    assert logged_acts[-1]["act"] == "administer"


def test_an_answer_carries_a_name_that_is_no_header(client: TestClient) -> None:
    for request_id in ("a\r\nx-evil: 1", "x" * 65, "a b", "é", ""):
        response = client.get("/health", headers={"x-request-id": request_id.encode("latin-1")})
        assert response.headers["x-request-id"] != request_id
        assert "x-evil" not in response.headers
    response = client.get("/health", headers={"x-request-id": "abc.1-2_3"})
    assert response.headers["x-request-id"] == "abc.1-2_3"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_page_of_another_site_changes_nothing(client: TestClient) -> None:
    response = client.post("/v1/recommendations", json=REQUEST, headers={"sec-fetch-site": "cross-site"})
    assert response.status_code == 403
    assert client.get("/health", headers={"sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-encoding": "gzip"}, 415),
        ({"content-length": "1048577"}, 413),
        ({"content-length": "9" * 40}, 413),
    ],
)
def test_a_body_that_is_packed_or_too_long_is_not_read(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    response = client.post("/v1/recommendations", content=b"{}", headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


def test_a_long_body_without_a_length_is_cut_off(client: TestClient) -> None:
    numbers = []

    def chunks() -> Iterator[bytes]:
        for number in range(64):
            numbers.append(number)
            yield b" " * 65_536

    response = client.post("/v1/recommendations", content=chunks(), headers={"content-type": "application/json"})
    assert response.status_code == 413


def test_a_slow_body_is_not_waited_for(own_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "TIMEOUT_S", 0.2)
    app = create_app(home=own_world)
    messages: list[dict] = []

    async def receive() -> dict:
        await asyncio.sleep(0.15)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: dict) -> None:
        messages.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {
        "type": "http", "method": "POST", "path": "/v1/recommendations", "raw_path": b"", "query_string": b"",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "scheme": "http",
        "http_version": "1.1", "root_path": "", "asgi": {"version": "3.0"},
    }  # fmt: skip
    start = time.monotonic()
    asyncio.run(app(scope, receive, send))
    assert messages[0]["status"] == 408
    assert time.monotonic() - start < 5


def test_when_all_places_are_taken_health_is_still_answered(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MOST", 0)
    response = client.post("/v1/recommendations", json=REQUEST)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert client.get("/health").status_code == 200


def test_bodies_that_arrive_take_no_place_and_little_memory(own_world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow bodies, with a key or without: others are answered, and what all hold in memory is bounded."""
    monkeypatch.setattr(places, "MOST", 1)
    monkeypatch.setattr(bodies, "MAX_BYTES_AT_ONCE", 300_000)
    app, key_headers = create_app(home=own_world), _key_headers(own_world, "predict")

    async def trickle(path: str, size: int, kind: bytes) -> int:
        statuses: list[int] = []

        async def receive() -> dict:
            await asyncio.sleep(0.01 if not statuses else 30.0)
            return {"type": "http.request", "body": b" " * size, "more_body": True}

        async def send(message: dict) -> None:
            statuses.append(message.get("status", 0))

        headers = [(name.encode(), value.encode()) for name, value in key_headers.items()]
        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": b"", "query_string": b"",
            "headers": [*headers, (b"content-type", kind)], "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80), "scheme": "http", "http_version": "1.1", "root_path": "", "asgi": {},
        }  # fmt: skip
        await app(scope, receive, send)
        return statuses[0]

    async def trickle_many() -> tuple[set[int], set[int]]:
        small = await asyncio.gather(
            *(trickle("/console/login", 5_000, b"application/x-www-form-urlencoded") for _ in range(20))
        )
        large = await asyncio.gather(*(trickle("/v1/recommendations", 100_000, b"application/json") for _ in range(5)))
        return set(small), set(large)

    small, large = asyncio.run(trickle_many())
    assert small == {413}
    assert large == {503}


def test_what_goes_wrong_inside_tells_nothing(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from inference.recommend.engine import RecommendationEngine

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret of /etc/passwd")

    monkeypatch.setattr(RecommendationEngine, "recommend", fail)
    response = client.post("/v1/recommendations", json=REQUEST)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text
    assert response.headers["x-request-id"] in response.json()["detail"]


def test_errors_do_not_say_where_things_lie(own_world: Home) -> None:
    client = TestClient(create_app(home=own_world))
    response = client.post("/v1/forecasts", json={"entity": "track", "id": "t000001"})
    assert response.status_code == 503
    assert str(own_world.root) not in response.text
    assert "/tmp" not in response.text


def test_beyond_this_machine_a_key_is_needed(own_world: Home) -> None:
    with pytest.raises(InputError, match="keys create"):
        serve(own_world, host="0.0.0.0", port=0)
    before = dict(os.environ)
    with pytest.raises(BundleError, match="a bundle in"):
        serve(own_world, port=0, model="recommendation:9", workers=2)
    assert dict(os.environ) == before
    with pytest.raises(InputError, match="keys, open or auto"):
        create_app(home=own_world, access="maybe")


def test_a_damaged_file_of_keys_does_not_open_the_doors(own_world: Home) -> None:
    own_world.keys.parent.mkdir(parents=True)
    own_world.keys.write_text("{")
    with pytest.raises(InputError, match="damaged"):
        create_app(home=own_world)


def test_the_commands(own_world: Home, tmp_path: Path) -> None:
    runner, env = CliRunner(), {"REFRAIN_HOME": str(own_world.root)}
    created = runner.invoke(command, ["keys", "create", "web player", "--role", "predict", "--days", "30"], env=env)
    assert created.exit_code == 0, created.output
    key_text = next(line for line in created.output.splitlines() if line.startswith("rf_"))
    assert KeyRing(own_world).caller(key_text).roles == {"predict"}
    listing = runner.invoke(command, ["keys", "list"], env=env).output
    assert "web player" in listing
    assert "valid" in listing
    assert key_text not in listing
    assert runner.invoke(command, ["keys", "revoke", key_text[3:11]], env=env).exit_code == 0
    assert "revoked" in runner.invoke(command, ["keys", "list"], env=env).output
    log = runner.invoke(refrain_command, ["audit", "show"], env=env).output
    assert "key created" in log
    assert "key revoked" in log
    assert runner.invoke(command, ["keys", "create", "x", "--role", "king"], env=env).exit_code == 1
