"""Break-glass ends by itself, is written down from its beginning to its review, and cannot be prolonged."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from feature_repo.access.break_glass import BreakGlass, Clocks, check_reason
from feature_repo.access.settings import AccessSettings, read_settings
from feature_repo.access.viewer import VARIABLE, user_name
from feature_repo.errors import AccessError, InputError, StoreError
from feature_repo.home import Home
from feature_repo.project import Project
from inference.api import permission
from inference.api.app import create_app
from inference.security.audit import acts
from inference.security.keys import KeyRing
from refrain.cli import app as command

REASON = "ticket 4711: wrong charts in the app of one listener"
BODY = {"keys": {"user_id": ["u000007"]}}
PROFILE = "user_profile__plan"


@dataclass
class Hands:
    """Clocks that a test sets."""

    now: float = 1_000_000.0
    uptime: float = 500.0
    boot: str = "one"

    @property
    def clocks(self) -> Clocks:
        return Clocks(lambda: self.now, lambda: self.uptime, lambda: self.boot)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.uptime += seconds


@pytest.fixture
def settings() -> AccessSettings:
    roles = {"expert": {"services": ["*"], "break_glass": 60, "may_break_glass": ["desk"]}, "desk": {"services": []}}
    return read_settings({"roles": roles})


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def grants(tmp_path: Path, hands: Hands) -> BreakGlass:
    return BreakGlass(Home(tmp_path), hands.clocks)


def test_a_grant_ends_by_itself(grants: BreakGlass, hands: Hands, settings: AccessSettings) -> None:
    grant = grants.start(settings, "key1", ["desk"], "expert", REASON, 30)
    assert grants.active("key1") == {"expert": grant.id}
    assert grants.active("key2") == {}
    hands.pass_time(30 * 60 - 1)
    assert grants.active("key1") and not grants.newly_over()
    hands.pass_time(1)
    assert grants.active("key1") == {}
    assert [one.id for one in grants.newly_over()] == [grant.id]
    assert grants.newly_over() == []  # the end is told once


@pytest.mark.parametrize(
    ("now", "uptime", "boot"),
    [
        (-86_400, 1_800, "one"),  # the clock goes back, and the machine says that the time is over
        (1_800, 10, "one"),  # the clock goes forward
        (10, 10, "two"),  # the machine was started again
        (10, -400, "one"),
    ],
)
def test_no_clock_prolongs_it(
    grants: BreakGlass, hands: Hands, settings: AccessSettings, now: float, uptime: float, boot: str
) -> None:
    grants.start(settings, "key1", ["desk"], "expert", REASON, 30)
    hands.now, hands.uptime, hands.boot = hands.now + now, hands.uptime + uptime, boot
    assert grants.active("key1") == {}


def test_it_is_for_who_may_as_long_as_they_may_and_for_a_reason(grants: BreakGlass, settings: AccessSettings) -> None:
    for roles, role, minutes in (
        ([], "expert", 5),
        (["desk"], "desk", 5),
        (["desk"], "no", 5),
        (["desk"], "expert", 61),
    ):
        with pytest.raises(AccessError):
            grants.start(settings, "key1", roles, role, REASON, minutes)
    for reason in ("", "x" * 40, "test test test test test test", "a b c d e f g h i j", "fix it now ok", REASON * 20):
        with pytest.raises(InputError, match="a reason"):
            grants.start(settings, "key1", ["desk"], "expert", reason, 5)
    assert grants.all() == []
    check_reason("Störung: Anna hört in ihrer App die Lieder von jemand anderem")


def test_a_review_is_by_somebody_else_and_once(grants: BreakGlass, settings: AccessSettings) -> None:
    grant = grants.start(settings, "os:ann", ["desk"], "expert", REASON, 5)
    with pytest.raises(InputError, match="lasts yet"):
        grants.review(grant.id, "os:bob", "justified", "fine")
    assert grants.end(grant.id).ended is not None
    with pytest.raises(AccessError):
        grants.review(grant.id, "os:ann", "justified", "fine")
    for verdict, note in (("perhaps", "fine"), ("justified", " ")):
        with pytest.raises(InputError):
            grants.review(grant.id, "os:bob", verdict, note)
    assert grants.review(grant.id, "os:bob", "not justified", "fine").reviewer == "os:bob"
    with pytest.raises(InputError, match="reviewed by os:bob"):
        grants.review(grant.id, "os:eve", "justified", "fine")


def test_a_damaged_file_grants_nothing(grants: BreakGlass, settings: AccessSettings, tmp_path: Path) -> None:
    grants.start(settings, "key1", ["desk"], "expert", REASON, 5)
    (file,) = Home(tmp_path).break_glass.glob("*.json")
    assert file.stat().st_mode & 0o077 == 0
    file.write_text("{")
    with pytest.raises(InputError, match="a break-glass in"):
        grants.active("key1")


@pytest.fixture
def client(home: Home, changes_seen_at_once: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(permission, "READ_SECONDS", 0.0)
    with TestClient(create_app(home=home), raise_server_exceptions=False) as test_client:
        yield test_client


def test_over_http_it_is_in_the_audit_log_from_beginning_to_review(
    home: Home, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_text, key = KeyRing(home).create("desk", ["read_features", "predict", "metrics", "support"])
    plain = {"x-api-key": key_text}
    glass = {**plain, "x-refrain-break-glass": f"analyst; minutes=15; reason={REASON}"}
    refused = client.post("/v1/features/listener_v1", json=BODY, headers=plain)
    assert (refused.status_code, PROFILE in refused.text) == (403, False)
    for header, status in (("analyst; minutes=15; reason=because", 422), ("owner; minutes=15; reason=" + REASON, 403)):
        wrong = client.post("/v1/features/listener_v1", json=BODY, headers={**plain, "x-refrain-break-glass": header})
        assert wrong.status_code == status, wrong.text
    for headers in (glass, glass, {**plain, "x-refrain-role": "analyst"}):
        response = client.post("/v1/features/listener_v1", json=BODY, headers=headers)
        assert response.status_code == 200, response.text
        assert response.json()["values"][PROFILE][0]
    (grant,) = BreakGlass(home).all()
    assert "refrain_break_glass_active 1.0" in client.get("/metrics", headers=plain).text
    assert f"{key.id} holds analyst" in client.get("/", headers=plain).text
    monkeypatch.setenv(VARIABLE, "support")
    runner = CliRunner()
    assert runner.invoke(command, ["access", "end", grant.id]).exit_code == 0
    assert (
        client.post("/v1/features/listener_v1", json=BODY, headers={**plain, "x-refrain-role": "analyst"}).status_code
        == 403
    )
    listed = runner.invoke(command, ["access", "reviews", "--json"])
    assert listed.exit_code == 1
    assert json.loads(listed.stdout)["reads"] == 3
    done = runner.invoke(command, ["access", "review", grant.id, "--verdict", "justified", "--note", "it was needed"])
    assert done.exit_code == 0, done.output
    assert runner.invoke(command, ["access", "reviews"]).exit_code == 0
    client.app.state.access.audit.flush()  # type: ignore[attr-defined]
    of_grant = sorted((act for act in acts(home) if act.get("grant") == grant.id), key=lambda act: act["at"])
    assert [act["act"] for act in of_grant] == [
        "break-glass started",
        *["features"] * 3,
        "break-glass ended",
        "break-glass reviewed",
    ]
    assert of_grant[0]["reason"] == REASON


def test_a_damaged_file_takes_nothing_from_those_who_hold_none(home: Home, client: TestClient) -> None:
    plain = {"x-api-key": KeyRing(home).create("owner", ["read_features", "predict", "owner"])[0]}
    damaged = home.break_glass / "abcd1234.json"
    damaged.parent.mkdir(parents=True, exist_ok=True)
    damaged.write_text("{")
    try:
        for _ in range(2):
            assert client.post("/v1/features/listener_v1", json=BODY, headers=plain).status_code == 200
        assert "a file is damaged" in client.get("/", headers=plain).text
    finally:
        damaged.unlink()


def test_another_process_may_have_granted_it_a_moment_ago(
    home: Home, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permission, "READ_SECONDS", 3_600.0)
    key_text, key = KeyRing(home).create("second desk", ["read_features", "support"])
    named = {"x-api-key": key_text, "x-refrain-role": "analyst"}
    assert client.post("/v1/features/listener_v1", json=BODY, headers=named).status_code == 403
    declared = Project.load(home.project_folder).access
    assert declared is not None
    grant = BreakGlass(home).start(declared, key.id, ["support"], "analyst", REASON, 5)
    assert client.post("/v1/features/listener_v1", json=BODY, headers=named).status_code == 200
    BreakGlass(home).end(grant.id)


def test_a_break_glass_that_cannot_be_written_down_is_none(
    home: Home, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_text, key = KeyRing(home).create("second desk", ["read_features", "support"])
    headers = {"x-api-key": key_text, "x-refrain-break-glass": f"analyst; minutes=15; reason={REASON}"}

    def lost(*arguments: object, **fields: object) -> None:
        raise StoreError(expected="an audit log", found="none", next_command="refrain doctor")

    monkeypatch.setattr(permission, "audit_act", lost)
    assert client.post("/v1/features/listener_v1", json=BODY, headers=headers).status_code == 503
    assert BreakGlass(home).active(key.id) == {}


def test_on_a_command_line_it_is_the_role_of_this_user(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "support")
    runner = CliRunner()
    call = ["access", "break-glass", "--role", "analyst", "--minutes", "5", "--reason"]
    assert runner.invoke(command, [*call, "because"]).exit_code == 1
    assert runner.invoke(command, [*call, REASON]).exit_code == 0
    from training.datasets import training_set

    moment = "2026-01-25T15:30:00Z"
    pulled = training_set("listener_v1", {"user_id": ["u000007"], "event_timestamp": [moment]}, home=home)
    assert PROFILE in pulled.to_polars().columns
    (grant,) = (one for one in BreakGlass(home).all() if one.caller == f"os:{user_name()}")
    pull = next(act for act in acts(home) if act["act"] == "training set" and act.get("grant") == grant.id)
    assert (pull["role"], pull["keys"]) == ("analyst", {"user_id": ["u000007"]})
    BreakGlass(home).end(grant.id)
    with pytest.raises(AccessError):
        training_set("listener_v1", {"user_id": ["u000007"], "event_timestamp": [moment]}, home=home)
