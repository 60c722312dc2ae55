"""The vocabulary of audio-features: names and ranges, sounds of known truth, sounds of which nothing can be said."""

from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.pure.audio.sounds_of_nothing import NOTHING
from transforms.pure.audio.chroma import CLASSES
from transforms.pure.audio.described import described
from transforms.pure.audio.listen import listen
from transforms.pure.audio.quality import Meter
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze
from transforms.pure.audio.vocabulary import inputs
from transforms.pure.audio.vocabulary.expectation import RANKED, between, estimate
from transforms.pure.audio.vocabulary.measured import time_signature
from transforms.pure.audio.vocabulary.scores import probabilities
from transforms.pure.audio.vocabulary.sound_kind import KINDS, SOUNDS, SoundKind
from transforms.pure.audio.vocabulary.track_features import (
    COUNTS,
    MEASURED,
    NAMES,
    SHARES,
    TrackFeatures,
    track_features,
)
from transforms.pure.audio.vocabulary.voice import instrumentalness, speechiness
from transforms.pure.audio.vocabulary.weights import shipped
from transforms.raw.simulate.sound.song import compose

SPOTIFY = (
    *("acousticness", "danceability", "duration_ms", "energy", "instrumentalness", "key", "liveness", "loudness"),
    *("mode", "speechiness", "tempo", "time_signature", "valence"),
)
"""Fields of the endpoint's answer, without ids and links."""


def _of(samples: np.ndarray) -> TrackFeatures:
    """The features of mono samples at ``RATE``."""
    meter = Meter(RATE, 1)
    if len(samples):
        meter.add(samples[:, None])
    loudness = meter.loudness().integrated_lufs if len(samples) else None
    return track_features(described(analyze([samples.astype(np.float32)])), loudness)


@cache
def _song(genre: str, artist: int, level: float = 1.0) -> TrackFeatures:
    song = compose(genre, 8.0, artist, np.random.default_rng(artist))
    return _of(np.tanh(song.samples.mean(axis=1) * level))


def _check(features: TrackFeatures) -> None:
    """Every value is of its type and in its range, and has a confidence; a value that is None has none."""
    values = features.as_spotify()
    assert set(features.confidence) == set(values) == set(NAMES)
    for name, value in values.items():
        assert 0 <= features.confidence[name] <= 1, name
        if value is None:
            assert features.confidence[name] == 0, name
        else:
            assert np.isfinite(value), name
            assert isinstance(value, int if name in COUNTS else float), name
    assert all(value is None or 0 <= value <= 1 for value in (values[name] for name in SHARES))
    assert features.key in range(-1, 12)
    assert features.mode in (0, 1, None)
    assert (features.mode is None) == (features.key == -1)
    assert features.time_signature in (3, 4, 5, 6, 7, None)
    assert features.duration_ms >= 0


def test_names_are_those_of_the_endpoint() -> None:
    assert sorted(NAMES) == sorted(SPOTIFY)
    assert {field.name for field in fields(TrackFeatures)} == {*NAMES, "confidence"}
    assert set(NAMES) == {*MEASURED, *SHARES}
    assert set(_song("metal", 1).as_columns()) == {*NAMES, *(f"{name}_confidence" for name in NAMES)}


@pytest.mark.parametrize("name", list(NOTHING))
def test_of_nothing_nothing_is_claimed(name: str) -> None:
    """Silence, a moment, clicks, noise: typed values, and those that are learned are not trusted."""
    features = _of(NOTHING[name])
    _check(features)
    assert all(features.confidence[name] < 0.1 for name in SHARES)


def test_silence_and_a_moment_have_no_value() -> None:
    for name in ("empty", "silence", "a moment"):
        features = _of(NOTHING[name])
        assert all(getattr(features, value) is None for value in (*SHARES, "tempo", "mode", "time_signature"))
        assert features.key == -1
        assert all(features.confidence[value] == 0 for value in NAMES if value != "duration_ms")
    assert _of(NOTHING["a moment"]).duration_ms == 200


def test_what_is_measured_is_only_renamed() -> None:
    song = compose("rock", 10.0, 7, np.random.default_rng(7))
    mono = song.samples.mean(axis=1)
    analysis = analyze([mono])
    features = _of(mono)
    assert analysis.key is not None
    assert features.key == CLASSES.index(analysis.key.tonic)
    assert features.mode == int(analysis.key.mode == "major")
    assert features.tempo == analysis.beats.tempo
    assert features.time_signature == time_signature(analysis.beats.meter)
    assert features.duration_ms == 10_000
    assert features.confidence["loudness"] == 1
    assert features.confidence["tempo"] == analysis.beats.confidence


def test_a_loud_dense_song_has_more_energy_than_a_soft_one_and_sounds_less_acoustic() -> None:
    for artist in range(3):
        loud, soft = _song("metal", artist, level=4.0), _song("classical", artist, level=0.1)
        assert loud.energy is not None
        assert soft.energy is not None
        assert loud.acousticness is not None
        assert soft.acousticness is not None
        assert loud.energy > 0.7
        assert soft.energy < 0.2
        assert loud.acousticness < soft.acousticness


def test_the_same_sound_a_hundred_times() -> None:
    mono = compose("jazz", 4.0, 3, np.random.default_rng(3)).samples.mean(axis=1)
    features, loudness = described(analyze([mono])), -14.0
    first = track_features(features, loudness)
    assert all(track_features(features, loudness) == first for _ in range(100))
    assert track_features(described(analyze([mono])), loudness) == first


@settings(max_examples=30, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            **{
                name: st.none() | st.floats(width=32)
                for name in ("tempo_confidence", "meter_confidence", "key_confidence", "pulse_clarity", "onset_rate")
            },
            **{
                name: st.none() | st.floats(0, 1e6)
                for name in ("seconds", "dynamic_range", "centroid", "bandwidth", "roll_off", "flatness", "crossings")
            },
            "tempo": st.none() | st.floats(1, 1_000),
            "meter": st.none() | st.integers(0, 12),
            "key": st.none() | st.sampled_from(["C", "F#", "B"]),
            "mode": st.sampled_from(["major", "minor"]),
            **{
                name: st.none() | st.lists(st.floats(width=32), min_size=width, max_size=width)
                for name, width in (("chroma", 12), ("tonnetz", 6))
            },
            "timbre": st.none() | st.floats(width=32).map(lambda value: [value] * 94),
        }
    ),
    st.none() | st.floats(),
)
def test_any_stored_row_gives_typed_values(row: dict[str, Any], loudness: float | None) -> None:
    row["mode"] = row["mode"] if row["key"] else None
    _check(track_features(row, loudness))


def test_probabilities_are_those_of_a_naive_softmax() -> None:
    rng = np.random.default_rng(0)
    vector, weights = rng.normal(size=3), {"m_mean": np.ones(3), "m_scale": np.full(3, 2.0)}
    weights |= {"m_slopes": rng.normal(size=(3, 2)), "m_offsets": rng.normal(size=2)}
    odds = [
        np.exp(sum((vector[i] - 1) / 2 * weights["m_slopes"][i, k] for i in range(3)) + weights["m_offsets"][k])
        for k in range(2)
    ]
    np.testing.assert_allclose(probabilities(vector, "m", weights), np.array(odds) / sum(odds))


def test_an_average_is_drawn_to_the_value_of_its_rank() -> None:
    name = "energy"
    weights = {f"{name}_averages": np.array([0.4, 0.5, 0.6]), f"{name}_real": np.array([0.0, 0.5, 1.0])}
    np.testing.assert_allclose(between(np.array([0.4, 0.5, 0.55, 0.6]), name, weights), [0.2, 0.5, 0.65, 0.8])


def test_a_mixture_of_kinds_is_less_certain_than_a_kind() -> None:
    """The law of total variance, for two kinds that agree on nothing."""
    weights = {
        "valence_coefficients": np.array([[0.2, 0.0], [0.8, 0.0]]),
        "valence_spread": np.array([0.1, 0.1]),
        "valence_deviation": np.array([0.4]),
        "valence_averages": np.array([0.0, 1.0]),
        "valence_real": np.array([0.0, 1.0]),
    }
    sure = estimate("valence", np.array([1.0, 0.0]), np.zeros(1), weights)
    unsure = estimate("valence", np.array([0.5, 0.5]), np.zeros(1), weights)
    assert (sure.value, sure.confidence) == pytest.approx((0.2, 0.75))
    assert (unsure.value, unsure.confidence) == pytest.approx((0.5, 1 - np.sqrt(0.01 + 0.09) / 0.4))


def _heard(speech: float, over_music: float) -> SoundKind:
    """Jazz, whose music alone would be instrumental, with a voice."""
    kinds = np.zeros(len(KINDS) + 2)
    kinds[KINDS.index("jazz")], kinds[-1] = 1 - speech, speech
    return SoundKind(np.array([speech, over_music, 1 - speech - over_music, 0.0]), kinds, 1.0)


def test_a_voice_raises_speechiness_and_lowers_instrumentalness() -> None:
    cues, weights = inputs.cues(-18.0, 90.0, 0, 4), shipped()
    speech = [speechiness(kind, cues, weights).value for kind in (_heard(0, 0), _heard(0, 0.95), _heard(0.95, 0))]
    assert speech[0] < 0.33 < speech[1] < 0.66 < speech[2]
    instrumental = [instrumentalness(_heard(0, over), cues, weights).value for over in (0.0, 0.5, 0.75, 1.0)]
    assert instrumental[0] == instrumental[1] > 0.3
    assert instrumental[2] == pytest.approx(instrumental[0] / 2)
    assert instrumental[3] == 0
    assert speechiness(_heard(0.5, 0), cues, weights).confidence == 0


def test_the_weights_fit_the_code() -> None:
    weights = shipped()
    for name in RANKED:
        assert weights[f"{name}_coefficients"].shape == (len(KINDS) + 2, 1 + inputs.CUES)
        assert (np.diff(weights[f"{name}_averages"]) >= 0).all()
    assert weights["kind_slopes"].shape == (inputs.MUSIC_WIDTH, len(KINDS))
    assert weights["voice_slopes"].shape == (inputs.VOICE_WIDTH, len(SOUNDS))
    assert "sha256" in str(weights["about"])


def _each(folder: Path, files: list[str]) -> list[TrackFeatures]:
    sounds = [listen(folder / file) for file in files]
    return [track_features(described(sound.analysis), sound.loudness.integrated_lufs) for sound in sounds]


def test_real_speech_is_speech(real_data: Path) -> None:
    """Digits of four speakers, 8,000 Hz, ten in a row, none of whom was learned from."""
    folder = real_data / "free-spoken-digit" / "recordings"
    for speaker in ("george", "jackson", "lucas", "nicolas"):
        files = sorted(folder.glob(f"*_{speaker}_*.wav"))[::5]
        digits = [soundfile.read(file, dtype="float32")[0] for file in files]
        pauses = np.zeros(1_600, np.float32)
        samples = np.concatenate([part for digit in digits for part in (digit, pauses)])
        features = _of(np.interp(np.arange(0, len(samples), 8_000 / RATE), np.arange(len(samples)), samples))
        assert features.speechiness is not None
        assert features.speechiness > 0.66
        assert features.instrumentalness is not None
        assert features.instrumentalness < 0.5


def test_single_instruments_have_no_voice(real_data: Path) -> None:
    folder = real_data / "instrument-samples" / "sounds-of-ror"
    files = [f"{instrument}/{note}.mp3" for instrument in ("piano", "guitar", "violin") for note in ("G4", "C5")]
    for features in _each(folder, files):
        assert features.instrumentalness is not None
        assert features.speechiness is not None
        assert features.acousticness is not None
        assert features.instrumentalness > 0.5
        assert features.speechiness < 0.33
        assert features.acousticness > 0.5


def test_real_music_is_music(real_data: Path) -> None:
    folder = real_data / "librosa-example-audio" / "audio"
    names = ("Kevin_MacLeod_-_Vibe_Ace", "442789__lena-orsa__happy-music-pistachio-ice-cream-ragtime")
    for features in _each(folder, [f"{name}.ogg" for name in names]):
        _check(features)
        assert features.speechiness is not None
        assert features.speechiness < 0.33
        assert features.confidence["energy"] > 0.1
