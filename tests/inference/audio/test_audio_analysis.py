"""Audio analysis gives one answer for one sound: from a file, an upload, the training set and the online store."""

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from feature_repo.errors import BundleError, InputError
from feature_repo.home import REPOSITORY, Home
from inference import (
    AudioAnalysisModel,
    BeatDetectionModel,
    GenreClassificationModel,
    InstrumentRecognitionModel,
    MoodAnalysisModel,
    SpectralAnalysisModel,
)
from inference.api import audio as route
from inference.api import body
from inference.audio import picture
from inference.audio.console_output import plain
from inference.audio.structure_file import spotify
from inference.monitoring.predictions import PredictionLog
from training.datasets.sounds import LabelledSounds
from transforms.pure.audio.described import EATEN, WIDTH, vector
from transforms.raw.read import scan

RATE = 22_050


def _sound_file(home: Home, track: str = "t000017") -> Path:
    return next((home.root / "simulated" / "sound").rglob(f"{track}.*"))


def _tone(seconds: float, hertz: float = 440.0, rate: int = RATE, file_format: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    times = np.arange(int(seconds * rate)) / rate
    soundfile.write(buffer, 0.4 * np.sin(2 * np.pi * hertz * times), rate, format=file_format)
    return buffer.getvalue()


def test_a_file_and_its_bytes_are_told_alike_and_as_in_the_feature_table(in_sounding: Home) -> None:
    model = AudioAnalysisModel.load("audio_classifier", in_sounding)
    file = _sound_file(in_sounding)
    from_file, from_bytes = model.analyze(str(file)), model.analyze(file.read_bytes())
    assert plain(from_file) == plain(from_bytes)
    stored_row = (
        scan(in_sounding, "audio_analyses").filter(pl.col("track_id") == "t000017").collect().row(0, named=True)
    )
    for name, value in stored_row.items():
        if name in from_file.features:
            computed = from_file.features[name]
            if isinstance(value, float | list):
                np.testing.assert_allclose(computed, value, rtol=1e-5, atol=1e-6)  # type: ignore[arg-type]
            else:
                assert computed == value
    assert from_file.seconds == pytest.approx(6.0, abs=0.1)
    assert from_file.measures["loudness"] is not None


def test_online_is_what_the_training_set_holds_and_what_an_upload_is_told(in_sounding: Home) -> None:
    model = GenreClassificationModel.load(home=in_sounding)
    sounds = LabelledSounds.load(in_sounding)
    online_classes = model.of_tracks([*sounds.tracks[:10], "nobody"])
    assert online_classes[-1] is None
    classifier = model._model.classifier
    assert classifier is not None
    for place, offline in enumerate(classifier.classify(sounds.vectors[:10])):
        online = online_classes[place]
        assert online is not None
        assert online.genre is not None
        assert offline.genre is not None
        assert online.genre.label == offline.genre.label
        for name, chance in offline.genre.probabilities.items():
            assert online.genre.probabilities[name] == pytest.approx(chance, abs=1e-4)
    from_upload = model.predict(_sound_file(in_sounding, sounds.tracks[3]))
    online = online_classes[3]
    assert from_upload is not None
    assert online is not None
    assert online.genre is not None
    for name, chance in online.genre.probabilities.items():
        assert from_upload.probabilities[name] == pytest.approx(chance, abs=1e-3)


def test_each_model_alone_says_what_all_say(in_sounding: Home) -> None:
    file = _sound_file(in_sounding)
    analysis = AudioAnalysisModel.load(home=in_sounding).analyze(file)
    assert analysis.classes is not None
    assert MoodAnalysisModel.load(home=in_sounding).predict(file) == analysis.classes.mood
    assert InstrumentRecognitionModel.load(home=in_sounding).predict(file) == analysis.classes.instruments
    assert SpectralAnalysisModel.load(in_sounding).analyze(file) == analysis.spectrum
    np.testing.assert_array_equal(BeatDetectionModel().detect(file).times, analysis.beats.times)
    assert analysis.classes.valence is not None
    assert 0 <= analysis.classes.valence <= 1


def test_what_is_unlike_all_songs_is_unknown(in_sounding: Home) -> None:
    model = AudioAnalysisModel.load(home=in_sounding)
    for tone in (_tone(6.0), _tone(0.5, 3_000)):
        analysis = model.analyze(tone)
        assert analysis.classes is not None
        assert analysis.classes.unknown
        assert analysis.classes.genre is not None
        assert analysis.classes.genre.label == "unknown"
    song_classes = [model.analyze(_sound_file(in_sounding, f"t{number:06}")).classes for number in range(0, 119, 17)]
    assert sum(classes is not None and not classes.unknown for classes in song_classes) >= 6


def test_silence_and_slivers_are_marked(in_sounding: Home) -> None:
    model = AudioAnalysisModel.load(home=in_sounding)
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(3 * RATE), RATE, format="FLAC")
    analysis = model.analyze(silence.getvalue())
    assert analysis.classes is None
    assert analysis.key is None
    assert "silent" in analysis.marks
    for length in (1, 2, 700):
        sliver = io.BytesIO()
        soundfile.write(sliver, np.full(length, 0.3), RATE, format="WAV")
        document = plain(model.analyze(sliver.getvalue()))
        assert "too short for beats and key" in document["marks"]
        json.dumps(document, allow_nan=False)


def test_a_sound_that_is_cut_short_is_marked_and_most_of_it_missing_is_an_error() -> None:
    content = _tone(4.0, file_format="WAV")
    assert plain(AudioAnalysisModel().analyze(content))["marks"] == []
    document = plain(AudioAnalysisModel().analyze(content[: len(content) * 3 // 4]))
    assert document["marks"] == ["cut short: 25 % is missing, and 3.0 seconds are there"]
    assert document["seconds"] == pytest.approx(3.0, abs=0.01)
    with pytest.raises(InputError, match="cut short: 75 % is missing, and 1.0 seconds are there"):
        AudioAnalysisModel().analyze(content[: len(content) // 4])


def test_without_a_model_the_rest_is_told(home: Home) -> None:
    model = AudioAnalysisModel.load(home=home)
    analysis = model.analyze(_tone(3.0))
    assert analysis.classes is None
    assert analysis.spectrum.deviations is None
    assert model.note is not None
    assert "model run audio_classifier" in model.note
    with pytest.raises(BundleError):
        AudioAnalysisModel.load("audio_classifier_v2.1", home)
    with pytest.raises(BundleError):
        GenreClassificationModel.load(home=home)


def test_what_is_not_allowed_is_refused(home: Home, tmp_path: Path) -> None:
    model = AudioAnalysisModel()
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "secret.wav").write_bytes(_tone(1.0))
    (inbox / "link.wav").symlink_to(tmp_path / "secret.wav")
    for path in (inbox / "link.wav", inbox / ".." / "secret.wav"):
        with pytest.raises(InputError, match="inbox"):
            model.analyze(path, within=inbox)
    with pytest.raises(InputError, match="no file"):
        model.analyze(inbox / "none.wav")
    with pytest.raises(InputError, match="no file"):
        model.analyze(inbox)
    bomb = _tone(60.0, file_format="FLAC", rate=8_000)
    with pytest.raises(InputError, match="60 seconds"):
        model.analyze(bomb, longest=30.0)
    with pytest.raises(InputError, match="bytes"):
        model.analyze(bomb, largest=1_000)


def test_a_small_file_that_unpacks_to_days_is_refused_at_once(home: Home) -> None:
    """Ten hours of silence take a few kilobytes as FLAC."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 2_000, 1, format="FLAC") as file:
        for _ in range(10):
            file.write(np.zeros(3_600 * 2_000, np.int16))
    assert len(buffer.getvalue()) < 300_000
    with pytest.raises(InputError, match="36,000 seconds"):
        AudioAnalysisModel().analyze(buffer.getvalue(), longest=route.MAX_SOUND_S)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 600), st.sampled_from(["FLAC", "OGG", "WAV", "MP3", "AIFF"]))
@example(
    bytes.fromhex(
        "ff0000010100ff0000ff3d0100ff00ff0000000001ff1f00ff01ff00ff01"
        "3c00f10101000000ff7a01ff9e00ffffffe500cdff00ffe400019f190000"
    ),
    40,
    "AIFF",
)  # an AIFF chunk whose size ends before the start of the file
def test_damaged_uploads_are_told_or_refused(noise: bytes, offset: int, file_format: str) -> None:
    raw = bytearray(_tone(0.3, file_format=file_format))
    raw[offset : offset + len(noise)] = noise
    for content in (bytes(raw), bytes(raw[: len(raw) - offset]), noise):
        try:
            document = plain(AudioAnalysisModel().analyze(content, longest=600.0))
        except InputError as error:
            assert error.next_command
        else:
            json.dumps(document, allow_nan=False)


@pytest.fixture
def client(in_sounding: Home) -> Iterator[TestClient]:
    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry

    from inference.api import errors

    app = FastAPI()
    errors.install(app)
    route.install(app, route.SoundService(in_sounding), PredictionLog(in_sounding), CollectorRegistry())
    with TestClient(app) as test_client:
        yield test_client


def test_an_upload_is_answered(client: TestClient, in_sounding: Home) -> None:
    file = _sound_file(in_sounding)
    response = client.post("/v1/audio/analyze", content=file.read_bytes())
    assert response.status_code == 200
    expected = plain(AudioAnalysisModel.load(home=in_sounding).analyze(file))
    document: dict[str, Any] = response.json()
    assert document.pop("note") is None
    assert document.pop("structure") is None
    assert document == json.loads(json.dumps(expected))
    assert document["model"] == "audio_classifier:1"


def test_an_upload_is_answered_with_its_structure(client: TestClient, in_sounding: Home) -> None:
    file = _sound_file(in_sounding)
    response = client.post("/v1/audio/analyze?structure=true", content=file.read_bytes())
    structure = response.json()["structure"]
    assert structure == spotify(AudioAnalysisModel().analyze(file, fingerprint=True))
    assert structure["sections"][0]["start"] == 0
    assert structure["track"]["fingerprint"]


@pytest.mark.parametrize("content", [b"", b"text named .mp3" * 100, _tone(1.0)[:30]])
def test_what_is_no_sound_is_a_problem(client: TestClient, content: bytes) -> None:
    response = client.post("/v1/audio/analyze", content=content)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def test_limits_of_uploads(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(body.MAX_BYTES_BY_PATH, "/v1/audio", 10_000)
    monkeypatch.setattr(route, "MAX_SOUND_S", 5.0)
    assert client.post("/v1/audio/analyze", content=_tone(1.0)).status_code == 413
    long_sound = _tone(20.0, rate=1_000, file_format="FLAC")
    response = client.post("/v1/audio/analyze", content=long_sound[:9_999] if len(long_sound) > 9_999 else long_sound)
    assert response.status_code in (413, 422)
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(20 * 8_000), 8_000, format="FLAC")
    response = client.post("/v1/audio/analyze", content=silence.getvalue())
    assert response.status_code == 422
    assert "20 seconds" in response.json()["detail"]


def test_more_than_can_wait_are_told_to_come_later(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other routes answer in the meantime: a waiting upload occupies no thread of the server."""
    started, release = threading.Event(), threading.Event()
    analyze = AudioAnalysisModel.analyze

    def slow_analyze(*arguments: Any, **options: Any) -> Any:
        started.set()
        release.wait(30)
        return analyze(*arguments, **options)

    monkeypatch.setattr(AudioAnalysisModel, "analyze", slow_analyze)
    monkeypatch.setattr(route, "MAX_WAITING", 3)
    statuses: list[int] = []
    content = _tone(1.0)

    def upload() -> None:
        statuses.append(client.post("/v1/audio/analyze", content=content).status_code)

    uploaders = [threading.Thread(target=upload) for _ in range(12)]
    for uploader in uploaders:
        uploader.start()
    try:
        assert started.wait(30)
        deadline = time.monotonic() + 30
        while len(statuses) < 12 - route.MAX_CONCURRENT - 3:
            assert time.monotonic() < deadline, statuses
            time.sleep(0.01)
        assert set(statuses) == {503}
        assert client.get("/openapi.json").status_code == 200
    finally:
        release.set()
        for uploader in uploaders:
            uploader.join()
    assert sorted(statuses) == [200] * 5 + [503] * 7


def test_the_command_tells_and_draws(sounding: Home, tmp_path: Path) -> None:
    plot = tmp_path / "pictures" / "out.png"
    command = [sys.executable, "-m", "refrain", "analyze", str(_sound_file(sounding)), "--plot", str(plot)]
    environment = {"REFRAIN_HOME": str(sounding.root), "PATH": "", "HOME": str(tmp_path)}
    completed = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    for word in ("loudness", "streaming", "meter", "rhythm", "octaves", "genre", "mood", "instruments"):
        assert word in completed.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in plot.parent.iterdir()] == ["out.png"]


@pytest.mark.parametrize("seconds", [0.01, 1.0, 3.0])
def test_pictures_of_short_sounds(home: Home, tmp_path: Path, seconds: float) -> None:
    analysis = AudioAnalysisModel().analyze(_tone(seconds), keep=True)
    assert picture.draw(analysis, tmp_path / "a.svg").stat().st_size > 1_000
    with pytest.raises(InputError, match="png"):
        picture.draw(analysis, tmp_path / "a.gif")


def test_a_vector_does_not_know_the_key(in_sounding: Home) -> None:
    """Transposing a sound by a semitone leaves its vector unchanged: pitch classes count from the tonic."""
    rows = scan(in_sounding, "audio_analyses").head(1).collect().row(0, named=True)
    original = vector(rows)
    assert original.shape == (WIDTH,)
    classes = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    transposed = rows | {
        "key": classes[(classes.index(rows["key"]) + 1) % 12],
        "chroma": [*rows["chroma"][-1:], *rows["chroma"][:-1]],
    }
    np.testing.assert_array_equal(vector(transposed), original)
    empty = vector(dict.fromkeys(EATEN))
    assert np.isnan(empty).all()
