"""Events over HTTP: what no account can cause is refused, and budgets of keys and of accounts hold."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from feature_repo.contract import contract_of
from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from inference.api.app import create_app
from inference.events import EventWriter
from inference.request_rule import RequestRule
from inference.security.caller import Limits
from inference.security.event_budgets import EventBudgets
from inference.security.keys import KeyRing
from inference.security.limits import Limiter
from tests.access.restricted_music import restricted_project

PLAUSIBILITY = "[plausibility.plays]\nevents = 5\nper_day = 8\n"
TOO_MANY = "implausible: more than 5 events of one user_id within an hour"


def plays(user: str, count: int, first: int = 0, **fields: Any) -> list[dict[str, Any]]:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    return [
        {"user_id": user, "track_id": f"t{number}", "event_timestamp": (hour + timedelta(seconds=number)).isoformat()}
        | fields
        for number in range(first, first + count)
    ]


@pytest.fixture
def key(own_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Home, str]]:
    home = restricted_project(tmp_path / "project", own_world, monkeypatch, PLAUSIBILITY)
    text, _ = KeyRing(home).create("app", ["send_events"], limits=Limits(1e6, 1_000_000, events_per_day=30))
    yield home, text


def test_events_of_a_request_are_judged_and_counted(key: tuple[Home, str]) -> None:
    home, text = key
    with TestClient(create_app(home=home), headers={"authorization": f"Bearer {text}"}) as client:

        def send(*events: dict[str, Any]) -> Any:
            body = {"kind": "plays", "events": list(events)}
            return client.post("/v1/events", json=body)

        twice = plays("ann", 5)
        answer = send(*twice, *twice[:1], *plays("ann", 2, 5), *plays("bob", 2))  # 10 of 30; 6 of 8 of ann
        assert answer.json() == {
            "accepted": 8,
            "refused": [{"place": 6, "reason": TOO_MANY}, {"place": 7, "reason": TOO_MANY}],
        }
        answer = send(*plays("ann", 3), *plays("bob", 3))  # 16 of 30; ann has 2 left
        assert answer.json()["accepted"] == 3
        assert [refused["place"] for refused in answer.json()["refused"]] == [0, 1, 2]
        assert "budget: more than 8 events of one user_id today; again in " in answer.json()["refused"][0]["reason"]
        assert send(*plays("ann", 2)).json()["accepted"] == 2  # 18 of 30
        acts = [{"user_id": f"u{number}", "action": "like", "track_id": "t000001"} for number in range(10)]
        assert client.post("/v1/feedback", json={"acts": acts}).status_code == 202  # 28 of 30
        for refused in (send(*plays("cid", 3)), client.post("/v1/feedback", json={"acts": acts})):
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["retry-after"]) <= 86_400
            assert "the budget of this key, 30 a day" in refused.json()["detail"]
        assert send(*plays("cid", 2)).json()["accepted"] == 2
        assert send(*plays("cid", 1)).status_code == 429


def test_without_a_section_nothing_is_judged_or_counted(own_world: Home) -> None:
    with TestClient(create_app(home=own_world)) as client:
        answer = client.post("/v1/events", json={"kind": "plays", "events": plays("ann", 900, ms_played=3_600_000)})
        assert answer.json() == {"accepted": 900, "refused": []}


def test_without_redis_each_process_counts_alone(key: tuple[Home, str], monkeypatch: pytest.MonkeyPatch) -> None:
    home, _ = key
    limiter = Limiter(home)

    def away(*_: Any) -> None:
        raise OnlineUnavailable(expected="Redis", found="none", next_command="refrain doctor")

    monkeypatch.setattr(limiter._server, "send", away)
    budgets = EventBudgets(limiter)
    assert budgets.refused_accounts("plays", {"ann": 8, "bob": 9}, 8).keys() == {"bob"}
    assert budgets.refused_accounts("plays", {"ann": 1}, 8).keys() == {"ann"}
    assert budgets.refused_accounts("plays", {}, 8) == {}


def test_a_writer_without_a_server_judges_by_the_same_rule(key: tuple[Home, str]) -> None:
    home, _ = key
    source = contract_of(home).events["plays"]
    rule = RequestRule(source, contract_of(home).project.plausibility["plays"], None)
    assert list(rule.over_budget()) == []
    body = b'{"kind": "plays", "events": []}'
    assert EventWriter(home).write(body).accepted == 0
