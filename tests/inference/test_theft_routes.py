"""Budgets of distinct questions and alarms over HTTP."""

import io
import wave
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from feature_repo.home import Home
from feature_repo.model_theft import TheftSettings
from inference.api.app import create_app
from inference.security.caller import Limits
from inference.security.keys import KeyRing
from inference.security.theft.counts import QuestionCounts


@pytest.fixture
def client(own_world: Home) -> Iterator[TestClient]:
    text, _ = KeyRing(own_world).create("ann", ["predict", "read_features"], limits=Limits(1e6, 1_000_000, None, 3))
    with TestClient(create_app(home=own_world), headers={"authorization": f"Bearer {text}"}) as test_client:
        yield test_client
    QuestionCounts.open(own_world).release("ann")


def ask(client: TestClient, *users: str | int) -> int:
    answer = client.post("/v1/features/listener_v1", json={"keys": {"user_id": list(users)}})
    if answer.status_code == 429:
        assert 1 <= int(answer.headers["retry-after"]) <= 86_400
        assert "3 distinct questions" in answer.json()["detail"]
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code


def test_a_budget_of_distinct_questions(client: TestClient) -> None:
    assert ask(client, "u000001", "u000002") == 200
    assert ask(client, "u000003", "u000004") == 429
    assert ask(client, *["u000001"] * 900) == 200
    assert ask(client, "u000003") == 200
    assert ask(client, "u000004") == 429
    # another model has a budget of its own, whose questions of a batch count one by one
    requests = [{"user_id": f"u{number:06d}", "count": 1} for number in range(1, 6)]
    batch = client.post("/v1/recommendations/batch", json={"requests": requests})
    statuses = [result["problem"]["status"] if result["problem"] else 200 for result in batch.json()["results"]]
    assert statuses == [200, 200, 200, 429, 429]
    assert client.post("/v1/recommendations", json=requests[0]).status_code == 200
    assert client.post("/v1/recommendations", json=requests[4]).status_code == 429
    for texts, status in ((["a", "b", "c"], 200), (["d"], 429), (["c", "a"], 200)):
        assert client.post("/v1/text/analyze", json={"texts": texts}).status_code == status


def test_the_console_asks_out_of_the_same_budget(client: TestClient) -> None:
    statuses = [client.get(f"/console/recommend?user=u{number:06d}").status_code for number in (1, 2, 3, 4, 1)]
    assert statuses == [200, 200, 200, 429, 200]
    refused = client.get("/console/recommend?user=u000005")
    assert "3 distinct questions" in refused.text
    assert "Ranked" not in refused.text and "u000005" in refused.text
    assert client.post("/v1/recommendations", json={"user_id": "u000006"}).status_code == 429


def test_sounds_have_a_budget_by_what_is_in_them(client: TestClient) -> None:
    def sound(number: int) -> bytes:
        file = io.BytesIO()
        with wave.open(file, "wb") as written:
            written.setnchannels(1)
            written.setsampwidth(2)
            written.setframerate(8_000)
            written.writeframes(bytes([number]) * 8_000)
        return file.getvalue()

    statuses = [client.post("/v1/audio/analyze", content=sound(number)).status_code for number in (1, 2, 1, 3, 4, 2)]
    assert [status == 429 for status in statuses] == [False, False, False, False, True, False]


def test_observations_of_the_console_cost_what_they_weigh(own_world: Home) -> None:
    text, _ = KeyRing(own_world).create("ann", ["predict"], limits=Limits(0.001, 12))
    rows = "timestamp,host,cpu\n" + "\n".join(f"2026-01-05T10:{minute:02}:00Z,a,{minute}" for minute in range(60))
    with TestClient(create_app(home=own_world), headers={"authorization": f"Bearer {text}"}) as client:
        pages = [client.post("/console/anomalies", data={"text": rows}) for _ in range(5)]
        assert [page.status_code for page in pages] == [200, 200, 200, 200, 429]


def test_a_walk_is_refused_where_that_is_declared(own_world: Home) -> None:
    QuestionCounts.open(own_world).release("anonymous")  # the world may have been asked before
    app = create_app(home=own_world)
    app.state.theft.settings = TheftSettings(action="refuse")
    with TestClient(app) as client:
        answers = [
            client.post("/v1/features/listener_v1", json={"keys": {"user_id": [f"u{number:06d}"]}})
            for number in range(52)
        ]
        assert [answer.status_code for answer in answers] == [200] * 49 + [403] * 3
        assert int(answers[-1].headers["retry-after"]) > 80_000
        assert "u0000" not in answers[-1].text
        assert 'refrain_theft_alarms_total{reason="successor"} 1.0' in client.get("/metrics").text
    assert QuestionCounts.open(own_world).release("anonymous") >= 1
