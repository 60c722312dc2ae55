"""A server of a project without music: neither its models, nor its routes, nor its examples are of music."""

import json
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from feature_repo.home import Home
from feature_repo.project import PROJECT
from feature_repo.stores import redis_server
from inference.api.app import create_app
from refrain.cli import app
from refrain.scaffold.example import example
from refrain.scaffold.files import contents, write
from tests.worlds import apply

MUSIC = re.compile(r"recommend|u000042|t000042|track_id|\bplays\b|listener|churn|artist", re.I)


@pytest.fixture(scope="module")
def stall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A new project, applied."""
    folder = tmp_path_factory.mktemp("own") / "stall"
    write(folder, contents(example("stall")[0]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PROJECT, str(folder))
        home = Home(folder / "data", project_folder=folder)
        apply(home)
        yield home
        redis_server.stop(home)


@pytest.fixture(scope="module")
def client(stall: Home) -> TestClient:
    return TestClient(create_app(home=stall, access="open"))


def promote(home: Home, name: str, kind: str) -> None:
    bundle = home.bundles(name)
    (bundle / "2").mkdir(parents=True)
    (bundle / "2" / "manifest.json").write_text(json.dumps({"name": name, "extra": {"kind": kind}}))
    (bundle / "aliases.json").write_text(json.dumps({"champion": 2}))


def test_its_models_are_those_that_are_promoted(client: TestClient, stall: Home) -> None:
    assert client.get("/v1/models").json() == {"models": []}
    (stall.bundles("orders_returned") / "1").mkdir(parents=True)
    answer = client.post("/v1/predictions/orders_returned", json={"keys": {"customer_id": ["c1"]}})
    assert answer.status_code == 404
    assert answer.json()["next"] == "refrain model promote orders_returned"
    promote(stall, "orders_returned", "tabular")
    models = client.get("/v1/models").json()["models"]
    assert [(model["serves"], model["loaded"], model["versions"]) for model in models] == [
        ("predictions: orders_returned", False, {"orders_returned": "orders_returned:2"})
    ]
    answer = client.post("/v1/predictions/absent", json={"keys": {"customer_id": ["c1"]}})
    assert answer.status_code == 404
    assert "orders_returned" in answer.json()["detail"] + answer.text
    assert not MUSIC.search(answer.text)


def test_its_document_and_console_have_no_music(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert {"/v1/features/{service}", "/v1/predictions/{model}", "/v1/events", "/v1/models"} <= set(document["paths"])
    assert document["components"]["schemas"]["FeaturesRequest"]["examples"] == [{"keys": {"customer_id": ["an id"]}}]
    used = json.dumps(document["paths"])
    assert not MUSIC.search(used), MUSIC.findall(used)
    page = client.get("/").text
    assert not MUSIC.search(page), MUSIC.findall(page)


@pytest.mark.parametrize(
    ("words", "following"),
    [
        (["recommend", "u1"], "refrain model list --all"),
        (["forecast", "genre", "jazz"], "refrain model list --all"),
        (["model", "forecast"], "refrain model list --all"),
        (["model", "list"], "refrain model run orders_returned"),
        (["send", "absent.jsonl", "--kind", "visits"], "--kind orders"),
        (["build"], "refrain import table FILE --as orders"),
        (
            ["simulate", "--users", "2", "--tracks", "100", "--days", "2", "--plays", "20"],
            "import table FILE --as orders",
        ),
    ],
)
def test_commands_name_nothing_that_the_project_lacks(stall: Home, words: list[str], following: str) -> None:
    result = CliRunner().invoke(app, words)
    assert not isinstance(result.exception, KeyError)
    assert following in result.output.splitlines()[-1]
    assert "&&" not in result.output


def test_an_analyzed_text_names_no_models_of_music(stall: Home) -> None:
    assert "not promoted" not in CliRunner().invoke(app, ["text", "hello"]).output
