"""A server without an extra answers the routes that need it with 503 and the command that installs it."""

import sys

import pytest
from fastapi.testclient import TestClient

from feature_repo.home import Home
from inference.api.app import create_app

COMMAND = "python -m pip install 'refrain[inference,sound]'"


@pytest.fixture
def client(home: Home) -> TestClient:
    return TestClient(create_app(home=home, access="open"))


@pytest.mark.parametrize("module", ["soundfile", "soxr", "scipy", "pyloudnorm"])
def test_sound_without_its_extra(client: TestClient, module: str, monkeypatch: pytest.MonkeyPatch, wav: bytes) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    headers = {"content-type": "application/octet-stream"}
    response = client.post("/v1/audio/analyze", content=wav, headers=headers)
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["next"] == COMMAND
    page = client.post("/console/sound", files={"file": ("a.wav", wav)})
    assert page.status_code == 503
    assert "refrain[inference,sound]" in page.text
    monkeypatch.undo()
    assert client.post("/v1/audio/analyze", content=wav, headers=headers).status_code == 200


def test_a_missing_module_of_no_extra_is_an_error_of_ours(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, wav: bytes
) -> None:
    monkeypatch.setattr("inference.api.audio.plain", lambda analysis: __import__("loudness_of_nothing"))
    response = client.post("/v1/audio/analyze", content=wav, headers={"content-type": "application/octet-stream"})
    assert response.status_code == 500
    assert "loudness_of_nothing" not in response.text


@pytest.fixture(scope="module")
def wav() -> bytes:
    """Two seconds of a tone."""
    import io

    import numpy as np
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(44_100) / 20) / 2, 22_050, format="WAV")
    return file.getvalue()
