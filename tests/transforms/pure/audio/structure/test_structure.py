"""The whole structure: it tiles the sound, its values are in range, and it is the same every time."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.pure.audio.structure.sounds import clicks, passage, tones
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.structure.describe import structure
from transforms.pure.audio.structure.document import document
from transforms.pure.audio.structure.frame_loudness import gated
from transforms.pure.audio.structure.jams import jams
from transforms.pure.audio.structure.rows import INTEGERS, KINDS, NUMBERS, rows
from transforms.pure.audio.track import SPAN, analyze

TRACK = {
    *("num_samples", "duration", "sample_md5", "offset_seconds", "window_seconds", "analysis_sample_rate"),
    *("analysis_channels", "end_of_fade_in", "start_of_fade_out", "loudness", "tempo", "tempo_confidence"),
    *("time_signature", "time_signature_confidence", "key", "key_confidence", "mode", "mode_confidence"),
}
SECTION = {
    *("start", "duration", "confidence", "loudness", "tempo", "tempo_confidence", "key", "key_confidence", "mode"),
    *("mode_confidence", "time_signature", "time_signature_confidence"),
}
SEGMENT = {
    *("start", "duration", "confidence", "loudness_start", "loudness_max", "loudness_max_time", "loudness_end"),
    *("pitches", "timbre"),
}
"""Names of Spotify's document."""


def _document(*pieces: np.ndarray) -> dict[str, Any]:
    analysis = analyze(pieces)
    return document(structure(analysis.frames, analysis.beats))


def _song(seconds: float = 70.0) -> np.ndarray:
    count = int(seconds / 2) + 1
    sound = passage([(0, 4, 7), (5, 9, 12), (7, 11, 14)] * (count // 3 + 1), 2.0, 5)[: int(seconds * RATE)]
    times = np.arange(0, seconds - 0.1, 0.25)
    return sound + clicks(times, seconds, [0.5 if number % 2 else 1.0 for number in range(len(times))])


def test_the_names_are_those_of_spotify() -> None:
    result = _document(_song(12.0))
    assert list(result) == ["meta", "track", "bars", "beats", "sections", "segments", "tatums"]
    assert set(result["track"]) == TRACK
    assert {frozenset(part) for part in result["sections"]} == {frozenset(SECTION)}
    assert {frozenset(part) for part in result["segments"]} == {frozenset(SEGMENT)}
    for name in ("bars", "beats", "tatums"):
        assert {frozenset(part) for part in result[name]} == {frozenset({"start", "duration", "confidence"})}


_PIECES = st.lists(
    st.tuples(
        st.sampled_from(["silence", "tone", "noise", "clicks", "loud", "offset", "nyquist"]),
        st.floats(0.0005, 2.5),
    ),
    max_size=3,
)


def _piece(kind: str, seconds: float) -> np.ndarray:
    count = int(seconds * RATE)
    times = np.arange(count) / RATE
    sounds = {
        "silence": lambda: np.zeros(count),
        "tone": lambda: 0.3 * np.sin(2 * np.pi * 330 * times),
        "noise": lambda: 0.1 * np.random.default_rng(0).normal(size=count),
        "clicks": lambda: np.where(np.arange(count) % 5_000 == 0, 1.0, 0.0),
        "loud": lambda: 1e4 * np.sign(np.sin(2 * np.pi * 50 * times)),
        "offset": lambda: np.ones(count),
        "nyquist": lambda: np.where(np.arange(count) % 2, 1.0, -1.0),
    }
    return sounds[kind]().astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(_PIECES)
def test_parts_tile_the_sound_and_values_are_in_range(pieces: list[tuple[str, float]]) -> None:
    sounds = [_piece(*piece) for piece in pieces]
    result = _document(*sounds)
    json.dumps(result, allow_nan=False)
    track = result["track"]
    duration = track["duration"]
    assert duration == pytest.approx(sum(map(len, sounds)) / RATE, abs=1e-5)
    assert 0 <= track["end_of_fade_in"] <= track["start_of_fade_out"] <= duration
    for name in ("bars", "beats", "tatums", "sections", "segments"):
        parts = result[name]
        for before, after in itertools.pairwise(parts):
            assert round(before["start"] + before["duration"], 5) == after["start"]
        assert all(part["duration"] > 0 and 0 <= part["confidence"] <= 1 for part in parts)
        if parts:
            assert parts[0]["start"] >= 0
            assert parts[-1]["start"] + parts[-1]["duration"] <= duration + 2e-5
    for name in ("sections", "segments"):
        assert bool(result[name]) == bool(duration)
        if result[name]:
            assert result[name][0]["start"] == 0
            assert result[name][-1]["start"] + result[name][-1]["duration"] == pytest.approx(duration, abs=2e-5)
    for segment in result["segments"]:
        assert max(segment["pitches"]) in (0.0, 1.0)
        assert min(segment["pitches"]) >= 0
        assert segment["loudness_max"] >= max(segment["loudness_start"], -60.0)
        assert segment["loudness_max_time"] <= segment["duration"]


def test_the_same_sound_gives_the_same_bytes() -> None:
    sound = _song(SPAN / RATE + 3)
    whole = json.dumps(_document(sound))
    assert json.dumps(_document(sound)) == whole
    assert json.dumps(_document(*np.split(sound, range(4_099, len(sound), 4_099)))) == whole


def test_levels_of_frames_are_those_of_the_meter() -> None:
    from transforms.pure.audio.loudness.meter import LoudnessMeter

    for sound in (_song(8.0), tones([(0, 6, -30, 0.5)], 6)):
        meter = LoudnessMeter(RATE, 1)
        meter.add(sound[:, None].astype(np.float64))
        assert gated(analyze([sound]).frames.power) == pytest.approx(meter.result().integrated_lufs, abs=0.15)


def test_the_table_has_every_part() -> None:
    result = _document(_song(12.0))
    table = rows(result)
    counts = {kind: sum(row["kind"] == kind for row in table) for kind in KINDS}
    names = ("sections", "bars", "beats", "tatums", "segments")
    assert counts == {"track": 1} | dict(zip(KINDS[1:], (len(result[name]) for name in names), strict=True))
    assert {frozenset(row) for row in table} == {frozenset({"kind", *INTEGERS, *NUMBERS})}
    last = table[-1]
    assert [last[f"timbre_{number}"] for number in range(12)] == result["segments"][-1]["timbre"]
    assert last["pitch_c_sharp"] == result["segments"][-1]["pitches"][1]


def test_jams_has_the_fields_of_its_schema(tmp_path: Path) -> None:
    analysis = analyze([_song(20.0)])
    result = jams(structure(analysis.frames, analysis.beats), "song")
    assert set(result) == {"annotations", "file_metadata", "sandbox"}
    assert set(result["file_metadata"]) == {"title", "artist", "release", "duration", "identifiers", "jams_version"}
    parts = {part["namespace"]: part["data"] for part in result["annotations"]}
    for data in parts.values():
        assert data
        assert all(list(entry) == ["time", "duration", "value", "confidence"] for entry in data)
    assert [entry["value"] for entry in parts["beat"]] == analysis.beats.places.tolist()
    assert parts["key_mode"][0]["value"] in {f"{name}:{mode}" for name in "CFG" for mode in ("major", "minor")}
    assert parts["tempo"][0]["value"] == pytest.approx(120, abs=2)
    jams_library = pytest.importorskip("jams", reason="the library jams is not installed")
    (tmp_path / "song.jams").write_text(json.dumps(result))
    jams_library.load(str(tmp_path / "song.jams"), validate=True, strict=True)
