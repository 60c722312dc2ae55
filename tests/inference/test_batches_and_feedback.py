"""Batch requests, feedback and experiments over HTTP."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from feature_repo import experiments
from feature_repo.experiments import Experiment, Variant
from feature_repo.home import Home
from inference.api.app import create_app
from inference.security.caller import Limits
from inference.security.keys import KeyRing
from tests import worlds
from tests.live import server_of
from transforms.logged import flat
from transforms.raw.read import scan
from transforms.stream.batch_boundary import archive
from transforms.stream.log import Log
from transforms.stream.reader import Reader, Settings
from transforms.stream.sources import Stream


@pytest.fixture
def own_world(world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of the whole small world, events included."""
    yield from worlds.copied(world, Home(tmp_path / "world"), monkeypatch)


@pytest.fixture
def client(own_world: Home, monkeypatch: pytest.MonkeyPatch, changes_seen_at_once: None) -> Iterator[TestClient]:
    monkeypatch.setenv("REFRAIN_LOG_PREDICTIONS", "1")
    with TestClient(create_app(home=own_world)) as test_client:
        yield test_client


def _start_experiment(home: Home, name: str = "more_new", **fields: object) -> None:
    arms = (Variant("control"), Variant("explore", settings={"explore": 1.0, "strategy": "content"}))
    experiments.add(home, Experiment(**{"name": name, "variants": arms, **fields}))  # type: ignore[arg-type]
    experiments.start(home, name, datetime.now(UTC))


def test_a_batch_answers_each_as_alone(client: TestClient) -> None:
    requests = [{"user_id": f"u{number:06}", "count": 3} for number in range(5)]
    results = client.post("/v1/recommendations/batch", json={"requests": requests}).json()["results"]
    for request, result in zip(requests, results, strict=True):
        single_answer = client.post("/v1/recommendations", json=request).json()
        assert result["problem"] is None
        assert [item["track_id"] for item in result["answer"]["items"]] == [
            item["track_id"] for item in single_answer["items"]
        ]
    for body in ({"requests": []}, {"requests": requests * 21}, {}):
        assert client.post("/v1/recommendations/batch", json=body).status_code == 422


def test_a_request_chooses_what_to_hear_again(client: TestClient, own_world: Home) -> None:
    heard = set(scan(own_world, "plays").filter(pl.col("user_id") == "u000007").collect()["track_id"])
    for strategy in ("again", "forgotten", "content"):
        body = {"user_id": "u000007", "count": 5, "strategy": strategy}
        answer = client.post("/v1/recommendations", json=body).json()
        assert answer["strategy"] == strategy
        tracks = {item["track_id"] for item in answer["items"]}
        assert tracks <= heard if strategy != "content" else not tracks & heard
        assert tracks or strategy == "forgotten"
    assert client.post("/v1/recommendations", json={"user_id": "u", "strategy": "best"}).status_code == 422


def test_a_batch_of_forecasts_has_problems_of_its_own(client: TestClient) -> None:
    requests = [{"entity": "track", "id": "t000001"}, {"entity": "user", "id": "u000001"}]
    response = client.post("/v1/forecasts/batch", json={"requests": requests})
    assert response.status_code == 200
    assert [result["problem"]["status"] for result in response.json()["results"]] == [
        503,
        503,
    ]  # no forecast model is promoted


def test_a_batch_counts_as_its_requests(client: TestClient, own_world: Home) -> None:
    key_text, _ = KeyRing(own_world).create("x", ["predict"], limits=Limits(1.0, 10))
    headers = {"authorization": f"Bearer {key_text}"}
    requests = [{"user_id": f"u{number:06}", "count": 1} for number in range(6)]
    first, second = (
        client.post("/v1/recommendations/batch", json={"requests": requests}, headers=headers) for _ in range(2)
    )
    assert first.status_code == 200
    assert (second.status_code, second.json()["status"]) == (429, 429)
    assert int(second.headers["retry-after"]) >= 1


def test_feedback_is_an_event_and_reaches_the_features(
    client: TestClient, own_world: Home, running_clock: None
) -> None:
    event_time = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    acts = [
        {"user_id": "u000007", "action": "click", "track_id": "t000001", "answer_id": "a1", "at": event_time},
        {"user_id": "u000007", "action": "rate", "track_id": "t000001", "rating": 5, "at": event_time},
        {"user_id": "u000007", "action": "subscribe", "amount_cents": 999, "at": event_time},
    ]
    response = client.post("/v1/feedback", json={"acts": acts})
    assert (response.status_code, response.json()) == (202, {"accepted": 3, "refused": []})
    client.post("/v1/feedback", json={"acts": acts})  # the same acts again: each counts once
    settings = Settings(follows="events", until_idle=True)
    from feature_repo.events import Names
    from feature_repo.packed.address import Address

    Reader(own_world, Address.from_env(), Stream, settings, say=lambda text: None).run()
    archive(own_world, Log(server_of(own_world), Names(own_world.project)))
    rows = scan(own_world, "feedback").collect().sort("action")
    assert rows["action"].to_list() == ["click", "rate", "subscribe"]
    assert rows["amount_cents"].to_list() == [None, None, 999]
    from transforms import feature_tables
    from transforms.batch.build import build

    build(own_world, datetime.now(UTC) + timedelta(days=1))  # after the midnight at which the row is due
    row = feature_tables.scan(own_world, "user_feedback").sort("event_timestamp").collect().row(0, named=True)
    assert (row["clicks_7d"], row["subscriptions_7d"], row["revenue_cents_7d"], row["rating_7d"]) == (
        1,
        1,
        999,
        5,
    )


@pytest.mark.parametrize(
    ("act", "message"),
    [
        ({"user_id": "u", "action": "rate"}, "rating"),
        ({"user_id": "u", "action": "like", "rating": 3}, "rating"),
        ({"user_id": "u", "action": "rate", "rating": 6}, "less than or equal to 5"),
        ({"user_id": "u", "action": "dance"}, "action"),
        ({"user_id": "", "action": "like"}, "user_id"),
        ({"user_id": "u", "action": "like", "at": "2026-01-01T00:00:00"}, "timezone"),
        ({"user_id": "u", "action": "purchase", "amount_cents": -1}, "amount_cents"),
    ],
)
def test_feedback_that_is_none(client: TestClient, act: dict, message: str) -> None:
    response = client.post("/v1/feedback", json={"acts": [act]})
    assert response.status_code == 422
    assert message in response.json()["detail"]


def test_feedback_of_tomorrow_is_refused_by_its_place(client: TestClient) -> None:
    future = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    acts = [{"user_id": "u", "action": "like"}, {"user_id": "u", "action": "like", "at": future}]
    report = client.post("/v1/feedback", json={"acts": acts}).json()
    assert report["accepted"] == 1
    assert report["refused"][0]["place"] == 1
    assert "future" in report["refused"][0]["reason"]


def test_an_experiment_changes_what_its_arm_says_and_is_written_down(client: TestClient, own_world: Home) -> None:
    _start_experiment(own_world)
    users = [f"u{number:06}" for number in range(60)]
    answers = {user: client.post("/v1/recommendations", json={"user_id": user, "count": 4}).json() for user in users}
    arms = {user: answer["experiments"]["more_new"] for user, answer in answers.items()}
    assert set(arms.values()) == {"control", "explore"}
    for user, answer in answers.items():
        if arms[user] == "explore" and answer["known"]:
            assert answer["strategy"] == "content"
    repeated = client.post("/v1/recommendations", json={"user_id": users[0], "count": 4}).json()
    assert repeated["experiments"] == answers[users[0]]["experiments"]
    explore_user = next(user for user, arm in arms.items() if arm == "explore" and answers[user]["known"])
    overridden = client.post("/v1/recommendations", json={"user_id": explore_user, "count": 4, "explore": 0.0}).json()
    assert not any(item["explored"] for item in overridden["items"])  # an arm does not override what the caller sets
    _flush_logs(client)
    exposures = flat.exposures(own_world)
    assert exposures.height == 62
    first = exposures.filter(exposures["user_id"] == users[1]).row(0, named=True)
    assert (first["variant"], first["answer_id"]) == (arms[users[1]], answers[users[1]]["answer_id"])
    assert first["chance"] == 0.5
    logged_predictions = flat.predictions(own_world, "recommendations")
    assert logged_predictions.height == 62
    assert set(logged_predictions["model"]) == {"recommendation:1"}
    assert logged_predictions["milliseconds"].min() > 0  # type: ignore[operator]


def _flush_logs(client: TestClient) -> None:
    """Writes out the lines that the log threads still hold."""
    for log in client.app.state.logs:  # type: ignore[attr-defined]
        log.flush()


def test_the_kill_switch(client: TestClient, own_world: Home) -> None:
    _start_experiment(own_world)
    key_text, _ = KeyRing(own_world).create("boss", ["administer", "predict"])
    headers = {"authorization": f"Bearer {key_text}"}
    experiment = client.get("/v1/experiments", headers=headers).json()["experiments"][0]
    assert (experiment["name"], experiment["state"], experiment["variants"][1]["settings"]["explore"]) == (
        "more_new",
        "running",
        1.0,
    )
    response = client.post("/v1/experiments/more_new/stop", json={"reason": "more skips"}, headers=headers)
    assert (response.status_code, response.json()["state"]) == (200, "stopped")
    answer = client.post("/v1/recommendations", json={"user_id": "u000001"}, headers=headers).json()
    assert answer["experiments"] == {}
    assert client.post("/v1/experiments/nothing/stop", json={"reason": "x"}, headers=headers).status_code == 404
    assert client.post("/v1/experiments/more_new/start", json={}, headers=headers).status_code == 422
    stored_experiment = json.loads(own_world.experiments.read_text())["experiments"]["more_new"]
    assert stored_experiment["reason"] == "more skips"


def test_an_arm_whose_version_cannot_be_loaded_gets_what_everybody_gets(client: TestClient, own_world: Home) -> None:
    arms = (Variant("control"), Variant("new", weight=1e6, settings={"model": "recommendation:9"}))
    _start_experiment(own_world, "new_model", variants=arms)
    response = client.post("/v1/recommendations", json={"user_id": "u000001"})
    assert response.status_code == 200
    assert response.json()["experiments"] == {}  # no exposure is counted: the user did not see the arm
    assert response.json()["model"] == "recommendation:1"


def test_a_bandit_learns_from_feedback(client: TestClient, own_world: Home) -> None:
    """Users click whenever they see the second arm and never when they see the first."""
    arms = (Variant("plain"), Variant("loved", settings={"explore": 0.5}))
    _start_experiment(own_world, "which", variants=arms, mode="bandit")
    arms_shown: list[str] = []
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and not (len(arms_shown) > 60 and arms_shown[-20:].count("loved") >= 18):
        answer = client.post("/v1/recommendations", json={"user_id": "u000001", "count": 1}).json()
        arms_shown.append(answer["experiments"]["which"])
        if arms_shown[-1] == "loved":
            act = {"user_id": "u000001", "action": "click", "answer_id": answer["answer_id"]}
            client.post("/v1/feedback", json={"acts": [act]})
        time.sleep(0.03)
    assert arms_shown[-20:].count("loved") >= 18, arms_shown
