"""The page of all routes, and the page for an address that has none."""

import re
import shlex
from collections.abc import Iterator
from html import unescape

import pytest
from fastapi.testclient import TestClient

from feature_repo.home import Home
from inference.api.app import create_app


@pytest.fixture(scope="module")
def client(world: Home) -> Iterator[TestClient]:
    with TestClient(create_app(home=world)) as test_client:
        yield test_client


def test_every_route_is_shown_and_nothing_is_asked_of_anybody_else(client: TestClient) -> None:
    response = client.get("/docs")
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "<script" not in response.text
    assert not re.findall(r"(?:src|href)=\"?https?:", response.text)
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            assert f'<h2 id="{operation["operationId"]}">{method.upper()} {path}</h2>' in response.text
            assert operation["description"].split("\n")[0][:40] in unescape(response.text)
    assert "context.device" in response.text
    assert "list of string, 1 to 256 characters, to 1,000 items" in response.text


def test_its_commands_are_requests_that_are_answered(client: TestClient) -> None:
    commands = [shlex.split(unescape(text)) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", client.get("/docs").text)]
    assert len(commands) >= 17
    (recommend,) = [words for words in commands if words[3:4] == ["http://testserver/v1/recommendations"]]
    headers = dict([words.split(": ") for words in recommend[2:3]])
    response = client.post(recommend[3].removeprefix("http://testserver"), content=recommend[5], headers=headers)
    assert response.status_code == 200


def test_an_address_without_a_page_is_a_page_for_a_browser(client: TestClient) -> None:
    browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    response = client.get("/nothing<b>", headers=browser)
    assert (response.status_code, response.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "<b>" not in response.text
    for path, headers in (("/nothing", {}), ("/v1/nothing", browser)):
        response = client.get(path, headers=headers)
        assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
