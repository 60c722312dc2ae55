"""Detections about people, by a promoted detector: for roles that see every feature that causes may name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from feature_repo.home import Home
from inference.api.app import create_app
from inference.security.audit import acts
from inference.security.keys import KeyRing
from tests import worlds
from tests.access.restricted_music import restricted_project

ADDRESS, OTHER = "10.0.0.7", "10.0.0.8"
ROLES = """
[access.marks]
client_activity = ["internal"]

[access.roles.owner]
services = ["*"]
seen = ["*"]

[access.roles.masked]
services = ["security_anomaly_v1"]
masked = { internal = "null" }

[access.roles.refused]
services = ["security_anomaly_v1"]
refused = ["client_activity"]

[access.roles.own]
services = ["security_anomaly_v1"]
seen = ["*"]
rows = { client_ip = "own" }

[access.roles.hosts]
services = ["system_anomaly_v1"]
"""


@pytest.fixture
def guarded(telemetry: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    for copy in worlds.copied(telemetry, Home(tmp_path / "world"), monkeypatch, "raw", "tiles", "features"):
        yield restricted_project(tmp_path / "project", copy, monkeypatch, ROLES)


def observed(address: str, detector: str = "security") -> dict[str, Any]:
    observation = {"entity": address, "at": "2026-02-01T00:00:00Z", "values": {}}
    return {"detector": detector, "observations": [observation]}


def test_a_detection_is_for_roles_that_see_all_its_causes(guarded: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.api.recommendations.RecommendationEngine.load", lambda *_: None)
    ring = KeyRing(guarded)
    roles = ("owner", "masked", "refused", "own", "hosts")
    keys = {role: ring.create(ADDRESS, ["predict", role])[0] for role in roles}
    keys["nobody"] = ring.create(ADDRESS, ["predict"])[0]
    with TestClient(create_app(home=guarded)) as client:

        def ask(role: str, body: dict[str, Any]) -> Any:
            return client.post("/v1/anomalies/detect", json=body, headers={"x-api-key": keys[role]})

        answer = ask("owner", observed(ADDRESS))
        assert answer.status_code == 200, answer.text
        assert answer.json()["model"].startswith("security_anomaly_detector:")
        assert ask("own", observed(ADDRESS)).status_code == 200
        refused = [ask(role, observed(ADDRESS)) for role in ("masked", "refused", "hosts", "nobody")]
        both = observed(ADDRESS)
        both["observations"] += observed(OTHER)["observations"]
        refused += [ask("own", observed(OTHER)), ask("own", both)]
        assert [answer.status_code for answer in refused] == [403] * 6
        assert not [answer.text for answer in refused if "detections" in answer.json()]
        text = f"timestamp,client_ip,x\n2026-02-01T00:00:00Z,{OTHER},1\n"
        page = client.post(
            "/console/anomalies", data={"detector": "security", "text": text}, headers={"x-api-key": keys["own"]}
        )
        assert page.status_code == 403
        assert ask("own", observed("host-00", "system")).status_code == 200  # hosts are nobody
        client.app.state.access.audit.flush()  # type: ignore[attr-defined]
    said = [(act["act"], act.get("role"), act.get("keys")) for act in acts(guarded)]
    assert ("detection", "owner", {"client_ip": [ADDRESS]}) in said
    assert ("not permitted", None, {"client_ip": [ADDRESS, OTHER]}) in said
    assert not [act for act in said if act[0] == "detection" and act[1] in ("masked", "refused", "hosts", None)]
