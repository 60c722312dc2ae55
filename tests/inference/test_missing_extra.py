"""A server without an extra answers the routes that need it with 503 and the command that installs it."""

import io
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from feature_repo.home import Home
from feature_repo.stores import redis_server
from inference.api.app import create_app
from tests.worlds import apply

COMMAND = "python -m pip install 'refrain[inference,sound]'"
HEADERS = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server with nothing promoted."""
    home = Home(tmp_path_factory.mktemp("home"))
    apply(home)
    yield TestClient(create_app(home=home, access="open"))
    redis_server.stop(home)


@pytest.fixture(scope="module")
def wav() -> bytes:
    """Two seconds of a tone."""
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(44_100) / 20) / 2, 22_050, format="WAV")
    return file.getvalue()


@pytest.mark.journeys
@pytest.mark.parametrize("module", ["soundfile", "scipy"])
def test_sound_without_its_extra(client: TestClient, module: str, monkeypatch: pytest.MonkeyPatch, wav: bytes) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    response = client.post("/v1/audio/analyze", content=wav, headers=HEADERS)
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["next"] == COMMAND
    page = client.post("/console/sound", files={"file": ("a.wav", wav)})
    assert page.status_code == 503
    assert "refrain[inference,sound]" in page.text
    monkeypatch.undo()
    assert client.post("/v1/audio/analyze", content=wav, headers=HEADERS).status_code == 200


def test_a_format_without_its_extra(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    m4a = bytes.fromhex("0000001c") + b"ftypM4A " + bytes(100)
    response = client.post("/v1/audio/analyze", content=m4a, headers=HEADERS)
    assert (response.status_code, response.json()["next"]) == (
        503,
        "python -m pip install 'refrain[inference,ffmpeg]'",
    )


def test_a_missing_module_of_no_extra_is_a_fault(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, wav: bytes
) -> None:
    monkeypatch.setattr("inference.api.audio.plain", lambda analysis: __import__("unheard_of"))
    response = client.post("/v1/audio/analyze", content=wav, headers=HEADERS)
    assert response.status_code == 500
    assert "unheard_of" not in response.text
