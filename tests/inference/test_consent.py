"""Answers for a purpose show nothing of people who have not consented to it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from feature_repo.errors import ConsentError, OnlineUnavailable, StoreError
from feature_repo.home import Home
from feature_repo.packed.address import Address
from feature_repo.packed.server import Server
from feature_repo.packed.server import get as server_get
from feature_repo.project import PROJECT
from inference import RecommendationEngine
from inference.api.app import create_app
from inference.events import EventWriter
from inference.features import OnlineFeatures
from inference.rows import RowModel
from inference.security.audit import acts
from tests.inference.recommend.answers import track_ids
from tests.projects import music_with_purposes
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream

WHO = "u000007"


@pytest.fixture
def asking(own_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running_clock: None) -> Home:
    """The small world as a project that asks for consent to personalisation."""
    folder = music_with_purposes(tmp_path / "project", {"personalisation": "opt-in", "analytics": "opt-out"})
    monkeypatch.setenv(PROJECT, str(folder))
    return Home(own_world.root, project_folder=folder)


def say(home: Home, user: str, purpose: str, granted: bool, at: datetime | None = None) -> None:
    """A listener says yes or no; the stream is read."""
    moment = at or datetime.now(UTC)
    event = {"user_id": user, "purpose": purpose, "granted": granted, "event_timestamp": moment.isoformat()}
    assert EventWriter(home).write(json.dumps({"kind": "consents", "events": [event]}).encode()).accepted == 1
    Reader(home, Address.from_env(), Stream, Settings(until_idle=True), say=lambda text: None).run()


def test_an_answer_is_personal_from_consent_to_withdrawal(asking: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = RecommendationEngine.load("recommendation", asking)
    stranger = engine.recommend(WHO, count=10)
    assert (stranger.user_id, stranger.known, stranger.consented, stranger.strategy) == (
        WHO,
        False,
        False,
        "cold_start",
    )
    assert track_ids(stranger) == track_ids(engine.recommend("nobody at all", count=10))
    assert "no consent to personalisation" in (stranger.note or "")
    assert engine.history(WHO) == []
    keys: list[bytes] = []

    def get(server: Server, names: list[bytes]) -> list[bytes | None]:
        keys.extend(names)
        return server_get(server, names)

    monkeypatch.setattr("inference.features.prepared.get", get)
    engine.recommend(WHO, count=10)
    assert not [key for key in keys if WHO.encode() in key]  # the listener is not asked for with the candidates

    first = datetime.now(UTC) - timedelta(seconds=10)
    say(asking, WHO, "personalisation", True, first)
    known = engine.recommend(WHO, count=10)
    assert (known.known, known.consented) == (True, True)
    assert engine.history(WHO)
    assert [key for key in keys if WHO.encode() in key]
    say(asking, WHO, "personalisation", False, first + timedelta(seconds=5))
    assert track_ids(engine.recommend(WHO, count=10)) == track_ids(stranger)
    say(asking, WHO, "personalisation", True, first + timedelta(seconds=3))  # late: the withdrawal is newer
    assert not engine.recommend(WHO, count=10).consented


def test_each_row_of_a_lookup_is_of_who_consents(asking: Home) -> None:
    users = [f"u{number:06}" for number in range(40)]
    say(asking, "u000003", "personalisation", True)
    plain = OnlineFeatures("session_v1", Home(asking.root)).get({"user_id": users})  # of a project that does not ask
    rows = OnlineFeatures("session_v1", asking).get({"user_id": [*users, None]})
    assert rows.denied is not None
    assert np.flatnonzero(~rows.denied).tolist() == [3, 40]  # nobody is denied nothing
    assert plain.denied is None
    for name in rows.values:
        expected = [value if row == 3 else None for row, value in enumerate(plain.values[name])]
        if name.startswith("user_session__"):
            assert repr(rows.values[name][:40]) == repr(expected)
    name = "user_session__plays_7d"
    matrix = rows.matrix([name])
    assert np.isfinite(matrix[3]).all() == np.isfinite(plain.matrix([name])[3]).all()
    assert np.isnan(np.delete(matrix, 3, axis=0)).all()


def test_objection_is_asked_of_who_objects(asking: Home) -> None:
    features = OnlineFeatures("user_behavior_v1", asking)
    assert features.get({"user_id": [WHO]}).denied is None
    say(asking, WHO, "analytics", False)
    rows = features.get({"user_id": [WHO, "u000008"]})
    assert rows.denied is not None
    assert rows.denied.tolist() == [True, False]
    model = object.__new__(RowModel)
    model._features = features
    with pytest.raises(ConsentError, match="1 of 2 rows of others: 0 "):
        model.predict({"user_id": [WHO, "u000008"]})


def test_without_the_store_nothing_is_shown(asking: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    say(asking, WHO, "personalisation", True)
    engine = RecommendationEngine.load("recommendation", asking)

    def hang(*arguments: object) -> None:
        raise OnlineUnavailable(expected="an answer", found="none", next_command="refrain redis start")

    for module in ("lookup", "prepared"):
        monkeypatch.setattr(f"inference.features.{module}.get", hang)
    with pytest.raises(OnlineUnavailable):
        OnlineFeatures("session_v1", asking).get({"user_id": [WHO]})
    answer = engine.recommend(WHO, count=5)
    assert not answer.known
    assert not answer.items or {item.source for item in answer.items} == {"popular"}


def test_a_project_that_asks_for_nothing_looks_nothing_more_up(own_world: Home) -> None:
    lookup = OnlineFeatures("session_v1", own_world).prepare({"user_id": [WHO]})
    assert len(lookup.redis_keys) == len(lookup.plan.lookups)


def test_a_manifest_of_before_is_not_taken_for_no_purpose(asking: Home) -> None:
    document = json.loads(asking.manifest.read_text())
    for entry in document["services"].values():
        del entry["purpose"]
    asking.manifest.write_text(json.dumps(document))
    with pytest.raises(StoreError, match="refrain apply"):
        OnlineFeatures("session_v1", asking)
    assert OnlineFeatures("session_v1", Home(asking.root)).service.purpose == ""


def test_a_manifest_without_the_service_of_consent_is_refused(asking: Home) -> None:
    document = json.loads(asking.manifest.read_text())
    del document["services"]["consent_v1"]
    asking.manifest.write_text(json.dumps(document))
    with pytest.raises(StoreError, match="consent_v1"):
        OnlineFeatures("session_v1", asking)


@pytest.fixture
def client(asking: Home, monkeypatch: pytest.MonkeyPatch, changes_seen_at_once: None) -> Iterator[TestClient]:
    monkeypatch.setenv("REFRAIN_AUDIT", "required")
    with TestClient(create_app(home=asking)) as test_client:
        yield test_client


def test_the_api_says_what_was_withheld(client: TestClient, asking: Home) -> None:
    answer = client.post("/v1/recommendations", json={"user_id": WHO, "count": 3}).json()
    assert (answer["consented"], answer["known"], len(answer["items"])) == (False, False, 3)
    features = client.post("/v1/features/session_v1", json={"keys": {"user_id": [WHO]}}).json()
    assert features["denied"] == [0]
    assert features["values"]["user_session__plays_7d"] == [None]
    written = [(act["act"], act["keys"]) for act in acts(asking) if act["act"] == "withheld"]
    assert written == [("withheld", {"user_id": [WHO]})] * 2
    future = {"user_id": WHO, "purpose": "personalisation", "granted": True, "event_timestamp": "2999-01-01T00:00:00Z"}
    refused = client.post("/v1/events", json={"kind": "consents", "events": [future]})
    assert refused.status_code == 422
    assert "in the future" in refused.text
