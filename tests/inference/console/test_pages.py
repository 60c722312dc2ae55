"""The pages of the console: their content, their access control, and the escaping of user input."""

import io
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from feature_repo import experiments
from feature_repo.experiments import Experiment, Variant
from feature_repo.home import Home
from inference.api.app import create_app
from inference.console.pages import EXAMPLE, LINKS
from inference.security.keys import KeyRing

SCRIPT_TAG = "<script>alert(1)</script>"


@pytest.fixture
def client(own_world: Home) -> Iterator[TestClient]:
    with TestClient(create_app(home=own_world)) as test_client:
        yield test_client


def _wav(seconds: float = 4.0, rate: int = 22_050) -> bytes:
    """A WAV file: two clicks per second over a chord."""
    times = np.arange(int(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * hertz * times) for hertz in (220.0, 277.2, 329.6)) / 8
    clicks = np.where(times % 0.5 < 0.01, 0.8, 0.0)
    buffer = io.BytesIO()
    soundfile.write(buffer, (tone + clicks).astype(np.float32), rate, format="WAV")
    return buffer.getvalue()


def test_every_page_is_whole_and_asks_for_nothing_from_elsewhere(client: TestClient) -> None:
    for path in (*(path for path, _ in LINKS), "/console/login"):
        response = client.get(path)
        assert response.status_code == 200, path
        assert response.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in response.headers["content-security-policy"]
        text = response.text
        assert text.count("<h1>") == 1
        assert '<html lang="en">' in text
        assert "width=device-width" in text
        assert not re.search(r"""(src|href|action)=["']?(https?:)?//""", text)
        assert "<script" not in text


def test_the_first_page_tells_what_serves(client: TestClient, own_world: Home) -> None:
    text = client.get("/").text
    assert "recommendation:1" in text
    assert "user_history" in text
    assert "No report of drift yet" in text
    own_world.reports.mkdir(parents=True)
    (own_world.reports / "monitor-20260101T000000.html").write_text("<!doctype html><p>drift</p>")
    assert "/console/reports/monitor-20260101T000000.html" in client.get("/").text
    response = client.get("/console/reports/monitor-20260101T000000.html")
    assert response.text.endswith("<p>drift</p>")
    assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    "name",
    ["../keys-default.json", "..%2f..%2fregistry.db", "monitor-x.html%00", "monitor-..html", "other.html", "%2e%2e/x"],
)
def test_no_other_file_is_a_report(client: TestClient, own_world: Home, name: str) -> None:
    own_world.reports.mkdir(parents=True)
    (own_world.reports / "other.html").write_text("secret")
    response = client.get(f"/console/reports/{name}")
    assert response.status_code == 404
    assert "secret" not in response.text


def test_a_recommendation_with_its_reasons(client: TestClient) -> None:
    text = client.get("/console/recommend", params={"user": "u000007", "count": 3, "diversify": "mmr"}).text
    assert text.count("<li>") == 3
    assert "recommendation:1" in text
    assert client.get("/console/recommend", params={"user": "x", "count": 51}).status_code == 422


def test_a_sound(client: TestClient) -> None:
    text = client.post("/console/sound", files={"file": ("<b>song.wav", _wav(), "audio/wav")}).text
    assert "&lt;b&gt;song.wav" in text
    assert "Waveform of 4.0 seconds" in text
    assert "a minute" in text
    response = client.post("/console/sound", files={"file": ("x.wav", b"nothing", "audio/wav")})
    assert response.status_code == 422
    assert 'role="alert"' in response.text


def test_a_score(client: TestClient) -> None:
    text = client.post("/console/anomalies", data={"detector": "untrained", "text": EXAMPLE}).text
    assert "1 incident<" in text
    assert "cpu_permille 100 %" in text
    upload_page = client.post("/console/anomalies", files={"file": ("x.csv", EXAMPLE.encode())}).text
    assert "1 incident<" in upload_page
    for form in ({"text": ""}, {"text": "a,b\n1,2"}, {"detector": "system", "text": EXAMPLE}):
        response = client.post("/console/anomalies", data=form)
        assert response.status_code == 422
        assert 'role="alert"' in response.text


def test_nothing_of_a_caller_becomes_markup(client: TestClient, own_world: Home) -> None:
    pages = [
        client.get("/console/recommend", params={"user": SCRIPT_TAG}).text,
        client.post("/console/anomalies", data={"detector": SCRIPT_TAG[:40], "text": SCRIPT_TAG}).text,
        client.post(
            "/console/anomalies", data={"text": f"timestamp,host,{SCRIPT_TAG}\n2026-01-01T00:00:00Z,{SCRIPT_TAG},1"}
        ).text,
        client.get(f"/console/reports/{SCRIPT_TAG.replace('/', '')}").text,
    ]
    assert not any("<script" in text for text in pages)


def test_experiments(changes_seen_at_once: None, client: TestClient, own_world: Home) -> None:
    arms = (Variant("control"), Variant("explore", settings={"explore": 0.2}))
    experiments.add(own_world, Experiment("more_new", arms))
    experiments.start(own_world, "more_new", datetime.now(UTC))
    text = client.get("/console/experiments").text
    assert "more_new" in text
    assert "explore=0.2" in text
    assert "1 experiment running" in client.get("/").text


def test_a_key_is_asked_for_once_and_kept_from_scripts(own_world: Home) -> None:
    ring = KeyRing(own_world)
    key_text, key = ring.create("console", ["predict"])
    sender_key_text, _ = ring.create("sender", ["send_events"])
    with TestClient(create_app(home=own_world), follow_redirects=False) as client:
        response = client.get("/")
        assert (response.status_code, response.headers["location"]) == (303, "/console/login")
        for wrong_key in ("nonsense", sender_key_text, "é", "rf_00000000_" + "A" * 43):
            assert client.post("/console/login", data={"key": wrong_key}).status_code == 401
        response = client.post("/console/login", data={"key": f" {key_text} "})
        assert response.status_code == 303
        cookie = response.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" not in cookie  # over http a browser would not send it back
        assert key_text not in response.headers["set-cookie"]
        assert key_text[12:].lower() not in cookie
        token = client.cookies["refrain_session"]
        assert client.get("/").status_code == 200
        assert client.get("/console/recommend", params={"user": "u000007"}).status_code == 200
        assert client.post("/console/logout").headers["location"] == "/console/login"
        client.cookies.set("refrain_session", token)  # a copy of the cookie is worth nothing after signing out
        assert client.get("/").status_code == 303
        client.cookies.clear()
        assert client.post("/console/login", data={"key": key_text}).status_code == 303
        assert client.get("/").status_code == 200
        ring.revoke(key.id)
        time.sleep(1.1)
        assert client.get("/").status_code == 303
        client.cookies.set("refrain_session", sender_key_text)  # a key in the cookie is no session
        assert client.get("/v1/models").status_code == 401
    with TestClient(create_app(home=own_world), base_url="https://testserver", follow_redirects=False) as client:
        response = client.post("/console/login", data={"key": ring.create("other", ["predict"])[0]})
        assert "secure" in response.headers["set-cookie"].lower()


def test_without_the_online_store_the_page_says_so(
    own_world: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(own_world.root / "rights", ignore_errors=True)  # a server of the shared world may have read them
    monkeypatch.setenv("REFRAIN_REDIS", "127.0.0.1:1")
    client = TestClient(create_app(home=own_world))
    text = client.get("/").text
    assert "the online store does not answer" in text
    response = client.get("/console/recommend", params={"user": "u000007"})
    assert (response.status_code, response.text.count("<li>")) == (200, 0)  # what may be played was never known
    assert "the online store does not answer" in response.text
