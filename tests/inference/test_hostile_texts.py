"""A server whose callers and catalogue send hostile texts: answers, pages, errors, metrics and log lines stay texts."""

import itertools
import json
import logging
import logging.config
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from feature_repo.home import Home
from feature_repo.output.plain import shorten
from inference.api.app import create_app
from inference.monitoring import logs
from inference.recommend import titles
from tests.hostile import HOSTILE, acts_on_a_page, acts_on_a_terminal

LARGEST = 100_000
"""Bytes of an answer about one listener, or of an error."""


@pytest.fixture(scope="module")
def client(world: Home) -> Iterator[TestClient]:
    """A server whose catalogue has the hostile texts as titles and names of artists."""
    texts = list(HOSTILE.values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REFRAIN_HOME", str(world.root))
        hostile = itertools.cycle(texts)
        patch.setattr(titles, "shorten", lambda _, most: shorten(next(hostile), most))
        with TestClient(create_app(home=world), raise_server_exceptions=False) as test_client:
            yield test_client


def _strict(text: str) -> object:
    return json.loads(text, parse_constant=pytest.fail)


def test_titles_in_answers_and_pages(client: TestClient) -> None:
    answer = client.post("/v1/recommendations", json={"user_id": "u000007", "count": 20})
    assert answer.status_code == 200
    shown = {item["title"] for item in answer.json()["items"]}
    assert HOSTILE["script"] in shown  # JSON has texts as they are
    assert max(map(len, shown)) <= titles.LONGEST + 1
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    page = client.get("/console/recommend", params={"user": "u000007", "count": 20}).text
    assert "&lt;script&gt;alert" in page
    assert not acts_on_a_page(page)
    assert len(page) < LARGEST


@pytest.mark.parametrize("name", HOSTILE)
def test_what_callers_send_comes_back_as_text_or_not_at_all(client: TestClient, name: str) -> None:
    text = HOSTILE[name][:200_000]
    short = text[:200]
    answers = [
        client.post("/v1/recommendations", json={"user_id": text}),
        client.post("/v1/recommendations", json={"user_id": short, "count": 3}),
        client.post("/v1/features/listener_v1", json={"keys": {"user_id": [short]}}),
        client.post("/v1/features/listener_v1", json={"keys": {text: ["a"]}}),
        client.post("/v1/forecasts", json={"entity": "track", "key": text}),
        client.post("/v1/text/analyze", json={"texts": [short]}),
        client.post("/v1/events", json={"events": [{"kind": short, "event_id": text}]}),
        client.post("/v1/predictions/a", content=text.encode()),
        client.get("/console/recommend", params={"user": short}),
        client.post("/console/login", data={"key": text[:8_000]}),
    ]
    if "\x00" not in text:
        from urllib.parse import quote

        part = quote(short, safe="")
        answers += [client.get(f"/{part}"), client.get(f"/console/reports/{part}"), client.post(f"/v1/features/{part}")]
    for answer in answers:
        kind = answer.headers["content-type"].partition(";")[0]
        assert answer.status_code not in (500, 502), answer.text[:300]
        assert len(answer.content) < LARGEST or kind == "application/json"
        if kind == "text/html":
            assert not acts_on_a_page(answer.text)
        elif kind.endswith("json"):
            _strict(answer.text)
        assert "Traceback" not in answer.text
        assert not any("\n" in value or "\r" in value for value in answer.headers.values())


def test_labels_of_metrics_are_of_few_known_values(client: TestClient) -> None:
    for text in HOSTILE.values():
        client.post("/v1/text/analyze", json={"texts": [text[:500]]})
        client.get(f"/{text[:50].encode().hex()}")
        client.post("/v1/forecasts", json={"entity": text[:50], "key": "a"})
    scraped = client.get("/metrics").text
    assert not any(text[:40] in scraped for name, text in HOSTILE.items() if name not in ("at", "minus"))
    lines = scraped.splitlines()
    assert max(map(len, lines)) < 500
    assert not any(line.startswith("forged") for line in lines)


def test_the_document_of_the_api_is_what_it_was(client: TestClient) -> None:
    document = client.get("/openapi.json")
    _strict(document.text)
    assert not acts_on_a_terminal(document.text)
    assert not acts_on_a_page(client.get("/docs").text)


@pytest.mark.parametrize("form", ["", "text", "json"])
def test_log_lines_stay_one_line_each(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    root, access = logging.getLogger(), logging.getLogger(logs.ACCESS)
    before = root.handlers[:], root.level, access.level
    try:
        logging.config.dictConfig(logs.settings(form))
        for text in HOSTILE.values():
            logging.getLogger("refrain.swap").warning("not taken over: %s", text, extra={"fields": {"key": text}})
        output = capsys.readouterr().err
    finally:
        root.handlers[:], level, access_level = before
        root.setLevel(level)
        access.setLevel(access_level)
    lines = output.splitlines()
    assert len(lines) == len(HOSTILE)
    assert not acts_on_a_terminal(output)
    assert max(map(len, lines)) < 60_000
    if form == "json":
        assert [json.loads(line)["message"][16:46] for line in lines] == [text[:30] for text in HOSTILE.values()]
