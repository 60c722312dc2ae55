"""Answers that are made of marked features are for roles that have their service, about rows that they see."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request

from feature_repo.errors import AccessError
from feature_repo.home import Home
from inference.api.anomalies import check_detection
from inference.api.app import create_app
from inference.api.permission import Permission
from inference.features import OnlineFeatures, lookup
from inference.recommend.engine import RecommendationEngine
from inference.recommend.hidden_facts import HEARD, REPEATED, TITLE
from inference.security.audit import AuditLog, acts
from inference.security.caller import Caller
from tests.access.restricted_music import ACCESS, restricted_project


@pytest.fixture(scope="module")
def permission(home: Home) -> Permission:
    return Permission(home)


def _request(home: Home, *roles: str, act_as: str = "") -> tuple[Request, AuditLog]:
    audit = AuditLog(home)
    app = SimpleNamespace(state=SimpleNamespace(access=SimpleNamespace(audit=audit)))
    caller = Caller("key1", "u000007", "default", frozenset(roles), own_id="u000007")
    headers = [(b"x-refrain-role", act_as.encode())] if act_as else []
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/v1/x", "headers": headers, "app": app}
    return Request(scope | {"client": None, "state": {"caller": caller, "request_id": "r"}}), audit


@pytest.mark.parametrize(
    ("roles", "person", "found"),
    [
        (("owner",), "u000008", None),
        (("listener",), "u000007", None),
        (("listener",), "u000008", "others among them"),
        (("listener",), "nobody at all", "others among them"),
        (("support",), "u000007", "support"),
        (("predict",), "u000007", "none"),
        (("support", "listener"), "u000007", None),
    ],
)
def test_an_answer_needs_a_role_with_its_service_and_rows(
    home: Home, permission: Permission, roles: tuple[str, ...], person: str, found: str | None
) -> None:
    lookup = OnlineFeatures("session_v1", home)
    request, audit = _request(home, *roles)
    if found is None:
        permission.check(request, lookup, {"user_id": [person]})
        return
    with pytest.raises(AccessError) as error:
        permission.check(request, lookup, {"user_id": [person]})
    assert error.value.found == found
    audit.flush()
    newest = max((act for act in acts(home) if act["act"] == "not permitted"), key=lambda act: act["at"])
    assert (newest["key"], newest["keys"]) == ("key1", {"user_id": [person]})


def test_answers_that_repeat_features_need_all_of_them_as_they_are(home: Home, permission: Permission) -> None:
    lookup = OnlineFeatures("listener_v1", home)
    request, _ = _request(home, "analyst")
    permission.check(request, lookup, {"user_id": ["u000007"]})
    for detector in (SimpleNamespace(lookup=(lookup, "user_id")),):
        with pytest.raises(AccessError, match="sees all features"):
            check_detection(permission, request, detector, ["u000007"])  # type: ignore[arg-type]
    owner, _ = _request(home, "owner")
    check_detection(permission, owner, SimpleNamespace(lookup=(lookup, "user_id")), ["u000007"])  # type: ignore[arg-type]


def test_a_running_server_follows_the_section_and_shows_nothing_by_old_rules(
    own_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "MANIFEST_SECONDS", 0.0)
    without = restricted_project(tmp_path / "project", own_world, monkeypatch, access="")
    ask = {"keys": {"user_id": ["u000007"]}}
    file, text = tmp_path / "project" / "refrain.toml", 'name = "refrain"\nextends = ["music"]\n'
    with TestClient(create_app(home=without, access="open")) as client:
        assert client.post("/v1/features/listener_v1", json=ask).json()["hidden"] == {}
        file.write_text("[")  # being written
        assert client.post("/v1/recommendations", json={"user_id": "u000007"}).status_code == 200
        restricted_project(tmp_path / "project", own_world, monkeypatch)
        assert "user_profile__country" in client.post("/v1/features/listener_v1", json=ask).json()["hidden"]
        assert client.post("/v1/recommendations", json={"user_id": "u000007"}).status_code == 403
        for changed in (text + ACCESS.replace("internal", "inside"), text, "["):
            file.write_text(changed)
            for route, body in (("features/listener_v1", ask), ("recommendations", {"user_id": "u000007"})):
                assert client.post(f"/v1/{route}", json=body).status_code == 503
        assert client.get("/v1/models").status_code == 503  # a file that is being written is nobody's request


def test_one_of_several_roles_is_asked_for(home: Home, permission: Permission) -> None:
    lookup, keys = OnlineFeatures("session_v1", home), {"user_id": ["u000008"]}
    sight = permission.check(_request(home, "owner", "listener")[0], lookup, keys)
    assert sight is not None and sight.role == "owner"  # the first of the file
    with pytest.raises(AccessError, match="others among them"):
        permission.check(_request(home, "owner", "listener", act_as="listener")[0], lookup, keys)
    with pytest.raises(AccessError, match="a role that the caller has"):
        permission.check(_request(home, "listener", act_as="owner")[0], lookup, keys)


def test_reasons_repeat_nothing_that_is_hidden(home: Home) -> None:
    engine = RecommendationEngine.load("recommendation", home)
    plain = engine.recommend("u000007", count=20, explain=True)
    reasons = " ".join(item.reason for item in plain.items)
    assert "played" in reasons
    hidden = engine.recommend("u000007", count=20, explain=True, hidden=REPEATED)
    assert [item.track_id for item in hidden.items] == [item.track_id for item in plain.items]
    assert hidden.counterfactual is None
    titles = {item.title for item in plain.items} | {item.title for item in engine.history("u000007", 60)}
    said = " ".join(f"{item.reason} {item.title} {item.artist_name}" for item in hidden.items)
    assert not [title for title in titles if title in said]
    assert not [word for word in ("you played", "you play", "near your taste", "listeners like you") if word in said]
    untitled = engine.recommend("u000007", count=20, hidden=frozenset({TITLE}))
    assert all(item.title == item.track_id and item.artist_name for item in untitled.items)
    with pytest.raises(AccessError, match="what listeners have heard"):
        engine.recommend("u000007", strategy="again", hidden=HEARD)
