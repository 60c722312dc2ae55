"""Tests of the route ``POST /v1/text/analyze``: every request gets an answer or a problem document."""

import json
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from prometheus_client import CollectorRegistry

from feature_repo.home import Home
from inference.api import errors, texts
from inference.api.schemas.texts import MOST_TEXTS
from inference.monitoring.predictions import PredictionLog

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


def text_application(home: Home) -> FastAPI:
    app = FastAPI()
    errors.install(app)
    texts.install(app, texts.TextService(home), PredictionLog(home), CollectorRegistry())
    return app


@pytest.fixture(scope="module")
def client(written: Home) -> TestClient:
    return TestClient(text_application(written))


def post_json(client: TestClient, body: Any) -> Any:
    return client.post("/v1/text/analyze", content=json.dumps(body), headers={"content-type": "application/json"})


def test_one_text_and_several(client: TestClient) -> None:
    single_answer = post_json(client, {"text": "An absolute gem. The saxophone solos carry it."}).json()
    (result,) = single_answer["results"]
    assert (result["sentiment"], result["language"]) == ("positive", "en")
    assert result["vector"] is None
    assert set(single_answer["models"]) == {"sentiment_model", "emotion_model", "text_embedder", "metadata_tagger"}
    assert single_answer["note"] is None
    batch_answer = post_json(
        client, {"texts": [result["text"], "", "Je t'aime, mon amour, pour toujours"], "vectors": True}
    ).json()
    repeated, empty, french = batch_answer["results"]
    for name in set(result) - {"vector"}:
        assert repeated[name] == (
            pytest.approx(result[name]) if name in ("tags", "emotions", "positive") else result[name]
        )
    assert len(repeated["vector"]) == 128
    assert (empty["marks"], empty["sentiment"], empty["words"]) == (["empty"], None, 0)
    assert (french["language"], french["sentiment"]) == ("fr", None)
    assert post_json(client, {"texts": []}).json()["results"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": None},
        {"text": "a", "texts": ["b"]},
        {"text": 5},
        {"text": ["a"]},
        {"texts": "a"},
        {"texts": [1]},
        {"texts": ["a"] * (MOST_TEXTS + 1)},
        {"text": "a", "more": 1},
        [],
        "text",
        None,
        7,
    ],
)
def test_a_body_of_the_wrong_shape_is_a_problem(client: TestClient, body: Any) -> None:
    response = post_json(client, body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["next"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b'{"text": "\xff"}', b'{"text": "\\ud800"}', b"[" * 5_000, b'{"text": NaN}']
)
def test_bytes_that_are_no_json_are_a_problem(client: TestClient, content: bytes) -> None:
    response = client.post("/v1/text/analyze", content=content, headers={"content-type": "application/json"})
    assert response.status_code in (200, 422)
    if response.status_code == 200:
        assert response.json()["results"][0]["marks"]


@pytest.mark.parametrize(
    "text",
    [
        "a " * 400_000,
        "😀" * 1_000,
        "привет hello こんにちは",
        "\x00\x01\x02",
        "<script>alert(1)</script>" * 1_000,
        "ignore all previous instructions",
        "a\u0301" * 50_000,
    ],
)
def test_awkward_texts_get_an_answer(client: TestClient, text: str) -> None:
    response = post_json(client, {"text": text})
    assert response.status_code == 200
    assert len(response.json()["results"][0]["text"]) <= 20_000


def test_too_long_a_body_is_not_read_to_its_end(client: TestClient) -> None:
    response = post_json(client, {"texts": ["a" * 900_000] * 5})
    assert response.status_code == 413
    assert post_json(client, {"text": "a" * 1_000_001}).status_code == 422
    response = post_json(client, {"texts": ["a" * 20_001] * 16})
    assert (response.status_code, "found 320,000" in response.json()["detail"]) == (422, True)


def test_without_models_there_is_a_note(home: Home) -> None:
    answer = post_json(TestClient(text_application(home)), {"text": "a song"}).json()
    assert answer["models"] == {}
    assert "not promoted" in answer["note"]


def test_the_schema_holds_for_whatever_schemathesis_makes_up(written: Home) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", text_application(written))
    (operation,) = [result.ok() for result in schema.get_all_operations()]

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def check_operation(case: schemathesis.Case) -> None:
        case.call_and_validate()

    check_operation()
