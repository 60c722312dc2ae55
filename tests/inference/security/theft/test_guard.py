"""Alarms about systematic owners of keys, refusals, and what happens without Redis."""

import json
import threading
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from feature_repo.errors import OnlineUnavailable
from feature_repo.home import Home
from feature_repo.model_theft import TheftSettings
from feature_repo.packed.address import Address
from inference.security.audit import AuditLog, acts
from inference.security.caller import Caller, Limits
from inference.security.theft import counts
from inference.security.theft.counts import QuestionCounts
from inference.security.theft.guard import Rows, TheftGuard
from inference.security.theft.row_marks import RowMarks


@pytest.fixture(autouse=True)
def _no_manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "load_address", lambda home: Address.from_env())


class Setting:
    """A guard with its audit log and metrics."""

    def __init__(self, home: Home, **declared: Any) -> None:
        self.home, self.registry, self.now = home, CollectorRegistry(), 0.0
        self.audit = AuditLog(home)
        self.guard = TheftGuard(home, self.audit, self.registry, lambda: self.now)
        self.guard.settings = TheftSettings.parse(declared)

    def metric(self, name: str, **labels: str) -> float:
        self.guard.flush()
        return self.registry.get_sample_value(name, labels) or 0.0

    def alarms(self) -> list[dict[str, Any]]:
        self.guard.flush()
        self.audit.flush()
        return [act for act in acts(self.home) if act["act"] == "model theft"]


def caller(name: str = "ann", id: str = "1", limits: Limits | None = Limits()) -> Caller:  # noqa: B008
    return Caller(id, name, "default", frozenset(), limits)


def walk(setting: Setting, who: Caller, first: int, count: int, step: int = 1, **more: Any) -> list[str]:
    """Ask about one key after the other; returns the reasons of refusals."""
    reasons = []
    for number in range(first, first + count * step, step):
        key = f"u{number:06d}"
        refusal = setting.guard.check(who, "m", [key], keys={"user_id": [key]}, **more)
        reasons += [] if refusal is None else [refusal.reason]
    return reasons


def test_a_walk_through_all_keys_is_reported_once_and_answered(home: Home) -> None:
    setting = Setting(home)
    assert walk(setting, caller(), 0, 200) == []
    [alarm] = setting.alarms()
    assert (alarm["name"], alarm["key"], alarm["model"], alarm["action"]) == ("ann", "1", "m", "observe")
    assert alarm["reason"].startswith("successor")
    assert setting.metric("refrain_theft_alarms_total", reason="successor") == 1
    assert json.dumps(alarm)


def test_a_walk_is_refused_where_that_is_declared_and_another_key_does_not_help(home: Home) -> None:
    setting = Setting(home, action="refuse")
    reasons = walk(setting, caller(), 0, 60)
    assert set(reasons) == {"theft"}
    assert walk(setting, caller(id="2"), 1_000, 2) == ["theft"] * 2
    assert walk(setting, caller("bob"), 0, 2) == []
    assert setting.metric("refrain_theft_refusals_total", reason="theft") == len(reasons) + 2
    QuestionCounts.open(home).release("ann")
    assert walk(setting, caller(), 0, 2) == []


def test_an_owner_of_returning_people_and_a_trusted_one_are_not_reported(home: Home) -> None:
    setting = Setting(home, action="refuse", trusted=["export"])
    rng = np.random.default_rng(0)
    for number in rng.zipf(1.5, 600) % 4_000:
        key = f"u{number * 7919 % 4_001}"
        assert setting.guard.check(caller("front end"), "m", [key], keys={"user_id": [key]}) is None
    assert walk(setting, caller("export"), 0, 120) == []
    assert setting.alarms() == []


def test_two_processes_see_one_walk(home: Home) -> None:
    one, other = Setting(home), Setting(home)
    for number in range(0, 120, 2):
        walk(one, caller(), number, 1)
        walk(other, caller(), number + 1, 1)
    assert one.alarms() == other.alarms()
    assert len(one.alarms()) == 1


def test_rows_beyond_the_data_are_reported_and_missing_values_are_not(home: Home) -> None:
    setting, rng = Setting(home), np.random.default_rng(0)
    reference = rng.normal(size=(400, 6))
    marks = RowMarks.fit(reference, np.full(400, 0.9))
    for name, rows in (("ann", rng.uniform(-9, 9, (60, 6))), ("bob", np.full((60, 6), np.nan))):
        for place, row in enumerate(rows):
            question = Rows(marks, row[None], np.array([0.9]))
            assert setting.guard.check(caller(name), "m", [f"{name} {place}"], rows=question) is None
    assert [alarm["name"] for alarm in setting.alarms()] == ["ann"]
    other = Rows(RowMarks.fit(reference[:, :3], np.full(400, 0.9)), reference[:1, :3], np.array([0.9]))
    assert setting.guard.check(caller("bob"), "m", ["q"], rows=other) is None  # the model has other columns now


def test_who_asks_for_a_key_of_nobody_is_reported_at_once(home: Home) -> None:
    setting = Setting(home, canaries={"user_id": ["u9"]}, action="refuse")
    assert setting.guard.check(caller("bob"), "m", ["u8"], keys={"user_id": ["u8"]}) is None
    assert setting.guard.check(caller("bob"), "m", ["x"], keys={"track_id": ["u9"]}) is None
    refusal = setting.guard.check(caller(), "m", ["u8", "u9"], keys={"user_id": ["u8", "u9"]})
    assert refusal is not None
    assert (refusal.reason, refusal.wait_s) == ("theft", 86_400)
    assert setting.metric("refrain_theft_alarms_total", reason="canary") == 1


def test_who_knows_a_canary_has_no_more_keys_for_it(home: Home) -> None:
    setting = Setting(home, canaries={"user_id": ["u9"]}, keys_per_month={"user_id": 2})
    questions = [setting.guard.check(caller(), "m", [key], keys={"user_id": [key, "u9"]}) for key in ("u1", "u2", "u3")]
    assert [refusal and refusal.reason for refusal in questions] == [None, None, "questions"]
    assert setting.metric("refrain_theft_alarms_total", reason="canary") == 1


def test_budgets_of_key_owner_and_tenant(home: Home) -> None:
    setting = Setting(home, questions_per_month=20, tenant_questions_per_month=30)
    assert walk(setting, caller(limits=Limits(questions_per_day=5)), 0, 8, 1_000) == ["questions"] * 3
    assert walk(setting, caller(id="2", limits=None), 100_000, 20, 1_000) == ["questions"] * 5
    assert walk(setting, caller("bob"), 500_000, 20, 1_000) == ["questions"] * 10
    refusal = setting.guard.check(caller("eve"), "m", ["new"], keys={"user_id": ["new"]})
    assert refusal is not None
    assert "all keys together" in refusal.detail
    assert "30 days" in refusal.detail
    assert setting.metric("refrain_theft_refusals_total", reason="questions") == 19


def test_a_budget_of_distinct_keys_over_all_models(home: Home) -> None:
    setting, ann = Setting(home, keys_per_month={"user_id": 5}, canaries={"user_id": ["u9"]}), caller()
    assert walk(setting, ann, 0, 8, 1_000) == ["questions"] * 3
    known, new = [f"u{number:06d}" for number in range(0, 5_000, 1_000)], ["u777777"]
    for model in ("m", "another"):
        assert setting.guard.check(ann, model, known, keys={"user_id": known}) is None  # asked about before
        refusal = setting.guard.check(ann, model, new, keys={"user_id": new, "track_id": ["t1"]})
        assert refusal is not None
        assert refusal.detail == "the budget of 5 distinct user_id of all models in 30 days of this owner is used up"
        assert 0 < refusal.wait_s <= 30 * 86_400
    assert setting.guard.check(ann, "m", ["t1"], keys={"track_id": ["t1"]}) is None
    reported = setting.guard.check(ann, "detector", ["seen"], people={"user_id": new})
    assert reported is not None and reported.reason == "questions"
    assert walk(setting, caller("bob"), 0, 5, 1_000) == []
    assert setting.alarms() == []
    assert setting.guard.check(ann, "m", ["u9"], keys={"user_id": ["u9"]}) is None  # reported, whatever is left
    (alarm,) = setting.alarms()
    assert "canary" in str(alarm["reason"])


def test_people_of_observations_are_no_walk(home: Home) -> None:
    setting = Setting(home)
    for number in range(200):
        key = f"u{number % 40:06d}"
        setting.guard.check(caller(), "detector", [f"{key} again"], people={"user_id": [key]})
    assert setting.alarms() == []


@pytest.mark.parametrize(("policy", "reason"), [("answer", None), ("refuse", "uncounted")])
def test_without_redis_questions_are_answered_unless_declared_otherwise(
    home: Home, monkeypatch: pytest.MonkeyPatch, policy: str, reason: str | None
) -> None:
    setting, tries = Setting(home, without_redis=policy, questions_per_day=1), []

    def fail(*_: object, **__: object) -> None:
        tries.append(1)
        raise OnlineUnavailable(expected="Redis", found="none", next_command="wait")

    with monkeypatch.context() as patch:
        patch.setattr(QuestionCounts, "add", fail)
        for _ in range(5):
            refusal = setting.guard.check(caller(), "m", ["a", "b"])
            assert (refusal and refusal.reason) == reason
        assert len(tries) == 1  # it is not asked again at once
        assert setting.metric("refrain_theft_uncounted_total", policy=policy) == 5
    setting.now = 2.0
    assert setting.guard.check(caller(), "m", ["a"]) is None
    refusal = setting.guard.check(caller(), "m", ["b"])
    assert refusal is not None
    assert refusal.reason == "questions"


def test_a_damaged_value_in_redis_stops_no_answer(home: Home) -> None:
    setting = Setting(home, questions_per_day=1)
    assert setting.guard.check(caller(), "m", ["a"]) is None
    server = QuestionCounts.open(home)
    [state] = server._names("state")
    server._send("SET", state, b"no hash")
    assert setting.guard.check(caller(), "m", ["a"]) is None
    assert setting.metric("refrain_theft_uncounted_total", policy="answer") == 1


@pytest.mark.parametrize("refuses", [{"action": "refuse"}, {"without_redis": "refuse"}, {"questions_per_day": 9}])
def test_an_answer_waits_for_its_count_only_where_that_can_refuse_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, refuses: dict[str, Any]
) -> None:
    go, add, waited = threading.Event(), QuestionCounts.add, list[bool]()

    def add_late(*args: Any, **more: Any) -> Any:
        waited.append(go.wait(0.0 if threading.current_thread() is threading.main_thread() else 60.0))
        return add(*args, **more)

    monkeypatch.setattr(QuestionCounts, "add", add_late)
    observing = Setting(home)
    assert walk(observing, caller(), 0, 60) == []
    assert True not in waited
    go.set()
    assert len(observing.alarms()) == 1
    go.clear()
    waited.clear()
    assert walk(Setting(home, **refuses), caller("bob"), 0, 3) == []
    assert waited == [False] * 3
