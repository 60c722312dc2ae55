"""The extra ``inference``: every route and page answers, the sound routes with the extra ``sound`` besides."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.architecture.test_layers import FORBIDDEN_PACKAGES, PURE_PACKAGE
from tests.environments import Environment, copy_data
from tests.extras.conftest import NOW, Make, requirement
from tests.routes import a_sound, requests

pytestmark = pytest.mark.extras

SOUND_ROUTE = "/v1/audio/analyze"
PAGES = ("/", "/console/recommend?user=u000001", "/console/sound", "/console/anomalies", "/console/experiments")
OTHER_PAGES = ("/console/login", "/console/style.css", "/docs", "/openapi.json", "/metrics", "/health")
IMPORTS = f"""
import json, sys
from inference import RecommendationEngine, TextAnalyzer
from inference.api.app import create_app

assert RecommendationEngine.load().recommend("u000001").known
assert TextAnalyzer.load().analyze(["hello there"])[0].analysis.words == 2
create_app()
forbidden = [name for name in {FORBIDDEN_PACKAGES!r} if name in sys.modules]
impure = [name for name in sys.modules if name.startswith("transforms.") and not name.startswith({PURE_PACKAGE!r})]
print(json.dumps([forbidden, impure]))
"""
"""Serves in process, then lists what must not have been imported."""


@dataclass(frozen=True)
class Served:
    """A server in an environment, and the seconds from its start to its first lookup."""

    environment: Environment
    client: httpx.Client
    first_lookup: float


@pytest.fixture(scope="module")
def environment(make: Make, trained: Path) -> Environment:
    """The extra ``inference`` on a copy of a data folder that another environment made."""
    serving = make("inference")
    copy_data(trained, serving.home)
    return serving


@pytest.fixture(scope="module")
def served(environment: Environment) -> Iterator[Served]:
    """``refrain serve`` on loopback."""
    with (
        environment.serving("refrain", "serve", "--port", "PORT", REFRAIN_NOW=NOW) as (address, started),
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        body = {"keys": {"user_id": ["u000001"]}}
        assert client.post("/v1/features/listener_v1", json=body).status_code == 200
        yield Served(environment, client, time.monotonic() - started)


def forbidden_packages(environment: Environment) -> list[str]:
    """Returns the packages that an environment has, of those that serving must not import."""
    names = f"[name for name in {FORBIDDEN_PACKAGES!r} if importlib.util.find_spec(name)]"
    script = f"import importlib.util, json; print(json.dumps({names}))"
    found: list[str] = json.loads(environment.run("python", "-c", script).stdout)
    return found


def test_what_must_not_be_imported_is_not_there(environment: Environment) -> None:
    assert forbidden_packages(environment) == ["training"]  # its code is part of the wheel
    forbidden, impure = json.loads(environment.run("python", "-c", IMPORTS, REFRAIN_NOW=NOW).stdout)
    assert (forbidden, impure) == ([], [])


def test_the_first_lookup(served: Served) -> None:
    print(f"\nfrom the start of the process to its first lookup: {served.first_lookup:.2f} s")
    body = {"keys": {"user_id": ["u000001", "nobody"]}}
    values = served.client.post("/v1/features/listener_v1", json=body).json()["values"]
    assert [value is None for value in values["user_taste__vector"]] == [False, True]


def test_every_route_answers(served: Served) -> None:
    document = served.client.get("/openapi.json").json()
    statuses: dict[str, int] = {}
    for method, path, options in requests(document):
        response = served.client.request(method, path, **options)
        statuses[path] = response.status_code
        if path == SOUND_ROUTE:
            assert response.status_code == 503
            assert response.json()["next"] == "python -m pip install 'refrain[inference,sound]'"
            continue
        assert response.status_code < 500 or response.status_code == 503, (path, response.text)
        assert response.status_code != 503 or "not installed" not in response.text, (path, response.text)
    assert len(statuses) > 15
    answered = {path for path, status in statuses.items() if status < 300}
    expected = {"/v1/recommendations", "/v1/text/analyze", "/v1/features/listener_v1", "/v1/events", "/v1/models"}
    assert expected <= answered, statuses
    known = served.client.post("/v1/recommendations", json={"user_id": "u000001", "count": 5}).json()
    assert (known["known"], known["model"], len(known["items"])) == (True, "recommendation:1", 5)


@pytest.mark.parametrize("page", [*PAGES, *OTHER_PAGES])
def test_every_page_answers(served: Served, page: str) -> None:
    response = served.client.get(page)
    assert response.status_code == 200, response.text
    assert len(response.text) > (100 if page in PAGES else 0)


def test_pages_that_take_files(served: Served) -> None:
    page = served.client.post("/console/sound", files={"file": ("a.wav", a_sound())})
    assert page.status_code == 503
    assert "refrain[inference,sound]" in page.text
    scored = served.client.post("/console/anomalies", data={"text": "timestamp,host,cpu\n2026-01-05T10:00:00Z,w,1\n"})
    assert scored.status_code == 503  # files of metrics are read by the readers of ``transforms``
    assert "refrain[inference,transforms]" in scored.text


def test_commands(environment: Environment) -> None:
    variables = {"REFRAIN_NOW": NOW}
    assert "recommends" in environment.refrain("recommend", "u000001", **variables).stdout
    assert "2 words" in environment.refrain("text", "hello there", **variables).stdout
    environment.refrain("freshness", **variables)
    assert "refrain[inference,transforms]" in environment.refrain("monitor", "report", code=1, **variables).stderr
    assert "refrain[training]" in environment.refrain("model", "list", code=1, **variables).stderr


def test_sound_with_the_extra_of_the_message(environment: Environment, wheel: Path, served: Served) -> None:
    """Last: it installs what the answer of the route says, and starts another server."""
    environment.install(requirement(wheel, "inference,sound"))
    with environment.serving("refrain", "serve", "--port", "PORT", REFRAIN_NOW=NOW) as (address, _):
        headers = {"content-type": "application/octet-stream"}
        response = httpx.post(f"{address}{SOUND_ROUTE}", content=a_sound(), headers=headers, timeout=60)
        assert response.status_code == 200, response.text
        assert response.json()["seconds"] == pytest.approx(2, abs=0.01)
        page = httpx.post(f"{address}/console/sound", files={"file": ("a.wav", a_sound())}, timeout=60)
        assert page.status_code == 200
    assert forbidden_packages(environment) == ["training"]
