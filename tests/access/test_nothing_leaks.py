"""Every route, for every role: the value of a feature that the role does not see is not in any byte of the answer."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from feature_repo.access.compiled import load_access
from feature_repo.access.sight import treatment_of
from feature_repo.bundle import promoted_models
from feature_repo.home import Home
from feature_repo.manifest import load_service
from inference.api.app import create_app
from inference.security.audit import acts
from inference.security.keys import KeyRing
from tests import routes
from tests.access.canaries import plant

PERSON, OTHER = "u000008", "u000007"
OTHER_KEYS = {"track_id": "t000001", "artist_id": "a0001", "item_id": "t000001"}
AT = "2026-02-01T00:00:00Z"


@pytest.fixture
def client(home: Home, changes_seen_at_once: None) -> Iterator[TestClient]:
    with TestClient(create_app(home=home), raise_server_exceptions=False) as test_client:
        yield test_client


def _requests(home: Home, document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Requests to every route, and those that are about the person."""
    yield from routes.requests(document)
    for name in json.loads(home.manifest.read_text())["services"]:
        keys = {key: [PERSON if key == "user_id" else OTHER_KEYS.get(key, "x")] for key in _join_keys(home, name)}
        yield "post", f"/v1/features/{name}", {"json": {"keys": keys}}
        yield "post", f"/v1/features/{name}", {"json": {"keys": {**keys, "user_id": [PERSON, 7.5]}}}
        yield "post", f"/v1/features/{name}", {"json": {"keys": {"wrong": [PERSON]}}}
    for model in promoted_models(home, "tabular"):
        yield "post", f"/v1/predictions/{model}", {"json": {"keys": {"user_id": [PERSON]}}}
    for options in ({}, {"explain": True}, {"strategy": "again"}, {"strategy": "forgotten"}, {"strategy": "content"}):
        yield "post", "/v1/recommendations", {"json": {"user_id": PERSON, "count": 5, **options}}
    yield "post", "/v1/recommendations/batch", {"json": {"requests": [{"user_id": PERSON, "strategy": "again"}]}}
    for entity, target in (("user", None), ("user", "activity")):
        yield (
            "post",
            "/v1/forecasts",
            {"json": {"entity": entity, "id": PERSON} | ({"target": target} if target else {})},
        )
    for detector, key in (("user_behavior", PERSON), ("security", PERSON)):
        observation = {"entity": key, "at": AT, "values": {}}
        yield "post", "/v1/anomalies/detect", {"json": {"detector": detector, "observations": [observation]}}
    lines = f"timestamp,user_id,x\n{AT},{PERSON},1\n"
    yield "post", "/console/anomalies", {"data": {"detector": "user_behavior", "text": lines}}
    for path in ("/", f"/console/recommend?user={PERSON}", "/console/experiments", "/metrics", "/docs", "/health"):
        yield "get", path, {}
    yield "get", "/console/reports/monitor-1.html", {}


def _join_keys(home: Home, service: str) -> tuple[str, ...]:
    return load_service(home, service).join_keys


def test_no_answer_has_a_value_that_the_role_does_not_see(home: Home, client: TestClient) -> None:
    texts = plant(home, PERSON)
    home.reports.mkdir(parents=True, exist_ok=True)
    (home.reports / "monitor-1.html").write_text(" ".join(form.decode() for forms in texts.values() for form in forms))
    for role in ("owner", "analyst", "regional", "listener", "support", ""):
        seen, unseen = _ask_everything(home, client, role, texts)
        assert not seen & unseen, (role, seen & unseen)
        if role == "owner":  # the test can find values at all
            assert {"user_profile__country", "user_listening__plays_7d", "user_taste__vector"} <= seen
            assert len(seen) > 0.8 * len(texts), sorted(set(texts) - seen)
        elif role == "analyst":
            assert {"user_profile__plan", "user_session__plays_7d"} <= seen
        else:
            assert not seen
    client.app.state.access.audit.flush()  # type: ignore[attr-defined]
    by_act = {act: {entry.get("role") for entry in acts(home) if entry["act"] == act} for act in ("features", "report")}
    assert by_act == {"features": {"owner", "analyst", "regional", "listener", "support", None}, "report": {"owner"}}


def _ask_everything(
    home: Home, client: TestClient, role: str, texts: dict[str, list[bytes]]
) -> tuple[set[str], set[str]]:
    """Features of the person whose values are in answers to a role, and those that the role does not see."""
    compiled = load_access(home)
    assert compiled is not None
    key_text, _ = KeyRing(home).create(OTHER, ["read_features", "predict", "metrics", *([role] if role else [])])
    settings, seen = compiled.settings.roles.get(role), set[str]()
    treatments = {name: treatment_of(settings, name, compiled.marks_of(name)) for name in texts}
    is_row_seen = not (settings and settings.rows)
    unseen = {name for name, treatment in treatments.items() if treatment != "seen" or not is_row_seen}
    document = client.get("/openapi.json", headers={"x-api-key": key_text}).json()
    for method, path, options in _requests(home, document):
        headers = {"x-api-key": key_text, **options.pop("headers", {})}
        response = client.request(method, path, headers=headers, **options)
        assert response.status_code != 500, (path, response.text)
        content = response.content + repr(response.headers).encode()
        names = {name for name, forms in texts.items() if any(form in content for form in forms)}
        assert not names & unseen, (role, method, path, options, names & unseen, response.text[:500])
        seen |= names
    return seen, unseen
