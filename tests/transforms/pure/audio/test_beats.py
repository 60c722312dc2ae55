"""Tempo, beats, downbeats and keys, scored by ``mir_eval``: on synthetic songs and on rendered compositions."""

from importlib.util import find_spec
from pathlib import Path

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.protocols.rendered_songs import f_measure, font, rendered
from tests.oracles.librosa_process import librosa_process
from transforms.pure.audio import key
from transforms.pure.audio.beats import DEFAULT, _best_before, _decode
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze


def song(
    tempo: float, meter: int = 4, seconds: float = 25.0, drift: float = 0.0, seed: int = 0, pick_up: int = 0
) -> tuple:
    """Returns a song of drums and one chord per bar, its beat times and its downbeat times.

    ``pick_up`` beats come before the first bar.
    """
    rng = np.random.default_rng(seed)
    beats, time = [], 0.5
    while time < seconds - 0.5:
        beats.append(time)
        time += 60 / (tempo * (1 + drift * time / seconds))
    samples = rng.normal(0, 1e-3, int(seconds * RATE))
    times = np.arange(int(0.4 * RATE)) / RATE
    kick = np.sin(2 * np.pi * 60 * times) * np.exp(-12 * times)
    snare = rng.normal(size=len(times)) * np.exp(-25 * times)
    hat = np.diff(rng.normal(size=len(times) + 1)) * np.exp(-80 * times)
    for number, time in enumerate(beats):
        beat_in_bar = (number - pick_up) % meter
        start = int(time * RATE)
        sounds = [
            0.8 * kick if beat_in_bar == 0 else 0.5 * snare if beat_in_bar == meter // 2 else 0.2 * snare,
            0.1 * hat,
        ]
        if beat_in_bar == 0:
            length = np.arange(int(0.9 * 60 / tempo * meter * RATE)) / RATE
            root = 220 * 2 ** (rng.integers(12) / 12)
            sounds.append(0.2 * sum(np.sin(2 * np.pi * root * 2 ** (tone / 12) * length) for tone in (0, 4, 7)))
        for sound in sounds:
            clipped = sound[: len(samples) - start]
            samples[start : start + len(clipped)] += clipped
    return samples.astype(np.float32), np.array(beats), np.array(beats[pick_up::meter])


@pytest.mark.parametrize(("tempo", "meter"), [(72, 4), (90, 3), (105, 4), (120, 4), (128, 4), (140, 3)])
def test_steady_songs(tempo: float, meter: int) -> None:
    samples, beats, downbeats = song(tempo, meter)
    beats_found = analyze([samples]).beats
    assert beats_found.tempo == pytest.approx(tempo, rel=0.02)
    assert f_measure(beats, beats_found.times) > 0.95
    assert beats_found.meter == meter
    assert f_measure(downbeats, beats_found.downbeats) > 0.9
    assert beats_found.confidence > 0.4


@pytest.mark.parametrize(("meter", "pick_up"), [(4, 1), (4, 3), (3, 2)])
def test_bars_begin_after_the_pick_up(meter: int, pick_up: int) -> None:
    samples, beats, downbeats = song(110, meter, pick_up=pick_up)
    tracked = analyze([samples]).beats
    assert f_measure(downbeats, tracked.downbeats) > 0.9
    assert tracked.places[np.abs(tracked.times - beats[0]).argmin()] == meter - pick_up + 1


@pytest.mark.parametrize("drift", [-0.12, 0.12])
def test_a_tempo_that_drifts_is_followed(drift: float) -> None:
    samples, beats, _ = song(110, drift=drift)
    assert f_measure(beats, analyze([samples]).beats.times) > 0.9


def clicks(tempo: float, meter: int, divisions: int = 1, seconds: float = 30.0) -> tuple:
    """Clicks, the first of each bar higher and louder, with quiet noise that divides beats; beats and downbeats."""
    rng, period = np.random.default_rng(0), 60 / tempo
    samples, beats = rng.normal(0, 1e-4, int(seconds * RATE)), np.arange(0.4, seconds - 0.3, period)
    times = np.arange(int(0.08 * RATE)) / RATE
    for number, beat in enumerate(beats):
        loudness, hertz = (0.9, 1_500) if number % meter == 0 else (0.5, 1_000)
        sounds = [loudness * np.sin(2 * np.pi * hertz * times) * np.exp(-60 * times)]
        sounds += [0.03 * rng.normal(size=len(times)) * np.exp(-90 * times) for _ in range(divisions - 1)]
        for division, sound in enumerate(sounds):
            start = int((beat + division * period / divisions) * RATE)
            samples[start : start + len(sound)] += sound[: max(len(samples) - start, 0)]
    return samples.astype(np.float32), beats, beats[::meter]


@pytest.mark.parametrize("tempo", [35, 45, 220])
def test_clicks_at_slow_and_fast_tempos(tempo: float) -> None:
    samples, beats, _ = clicks(tempo, 4)
    tracked = analyze([samples]).beats
    assert tracked.tempo == pytest.approx(tempo, rel=0.02)
    assert f_measure(beats, tracked.times) > 0.9


@pytest.mark.parametrize("tempo", [280, 310])
def test_the_fastest_songs_are_heard_at_their_tempo_or_at_half_of_it(tempo: float) -> None:
    tracked = analyze([song(tempo)[0]]).beats
    octave = round(np.log2(tracked.tempo / tempo))
    assert octave in (-1, 0)
    assert tracked.tempo / 2.0**octave == pytest.approx(tempo, rel=0.02)


@pytest.mark.parametrize("meter", [3, 4])
def test_bars_of_clicks_with_accents(meter: int) -> None:
    samples, _, downbeats = clicks(120, meter)
    tracked = analyze([samples]).beats
    assert tracked.meter == meter
    assert f_measure(downbeats, tracked.downbeats) > 0.9


def test_what_is_said_of_beats_is_repeatable_and_within_its_limits() -> None:
    samples, *_ = song(120)
    first, second = (analyze([samples]).beats for _ in range(2))
    assert first.tempos == second.tempos
    for name in ("times", "places", "strengths", "downbeat_strengths"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
        assert len(getattr(first, name)) == len(first.times), name
    for strengths in (first.strengths, first.downbeat_strengths):
        assert (strengths >= 0).all()
        assert (strengths <= 1).all()
    assert first.tempo in [tempo for tempo, _ in first.tempos]
    assert sum(strength for _, strength in first.tempos) == pytest.approx(1)
    at_downbeats = first.downbeat_strengths[first.places == 1].mean()
    assert at_downbeats > first.downbeat_strengths[first.places != 1].mean() + 0.3


def test_what_has_no_beat_has_none() -> None:
    rng = np.random.default_rng(0)
    for samples in (np.zeros(20 * RATE), np.zeros(100), np.empty(0)):
        beats_found = analyze([samples.astype(np.float32)]).beats
        assert not len(beats_found.times)
        assert np.isnan(beats_found.tempo)
    noise = analyze([rng.normal(0, 0.1, 20 * RATE).astype(np.float32)]).beats
    assert noise.confidence < analyze([song(120)[0]]).beats.confidence - 0.15


@pytest.mark.parametrize(("tonic", "mode"), [("C", "major"), ("A", "minor"), ("F#", "major"), ("Eb", "minor")])
def test_keys_of_scales(tonic: str, mode: str) -> None:
    steps = (0, 2, 4, 5, 7, 9, 11, 12) if mode == "major" else (0, 2, 3, 5, 7, 8, 10, 12)
    root = 220 * 2 ** ((key.CLASSES.index(tonic) + 3) / 12)
    times = np.arange(int(0.5 * RATE)) / RATE
    notes = [*steps, 7, steps[2], 0, 0]
    samples = np.concatenate(
        [np.sin(2 * np.pi * root * 2 ** (step / 12) * times) * np.exp(-2 * times) for step in notes]
    )
    estimated_key = analyze([samples.astype(np.float32)]).key
    assert estimated_key is not None
    assert mir_eval.key.weighted_score(f"{tonic} {mode}", f"{estimated_key.tonic} {estimated_key.mode}") == 1.0
    assert key.of_chroma(np.ones(12)) is None


@pytest.mark.soak
def test_composed_music(real_data: Path) -> None:
    """Songs of POP909 rendered with a General MIDI piano; at most 0.05 below librosa's beat tracker.

    ``benchmarks.audio`` measures more songs.
    """
    soundfont = font()
    if soundfont is None:
        pytest.skip("no fluidsynth with a General MIDI soundfont; apt-get install fluidsynth fluid-soundfont-gm")
    if find_spec("librosa") is None:
        pytest.skip("no librosa")
    scores, librosa_scores = [], []
    with librosa_process() as librosa:
        for folder in sorted((real_data / "pop909").glob("[0-9]*"))[:6]:
            samples, true_beats = rendered(folder, soundfont, 0, 60)
            scores.append(f_measure(true_beats[:, 0], analyze([samples]).beats.times))
            librosa_beats = librosa("beat.beat_track", y=samples, sr=RATE, units="time")[1]
            librosa_scores.append(f_measure(true_beats[:, 0], librosa_beats))
    assert np.mean(scores) > 0.8
    assert np.mean(scores) > np.mean(librosa_scores) - 0.05


def test_the_published_scores_of_mir_eval(real_data: Path) -> None:
    """``mir_eval`` on its own references: F-measures as published."""
    import json

    folder = real_data / "mir-eval-tests" / "beat"
    for number in range(3):
        reference, estimated = (
            mir_eval.io.load_events(str(next(folder.glob(f"{kind}{number:02d}*")))) for kind in ("ref", "est")
        )
        expected = json.loads(next(folder.glob(f"output{number:02d}*")).read_text())["F-measure"]
        assert f_measure(reference, estimated) == pytest.approx(expected)


@pytest.mark.parametrize("more_frames", [1, 30, 150])
def test_a_last_piece_may_be_shorter_than_a_period(more_frames: int) -> None:
    activation = np.full(2_000 + more_frames, -0.5)
    activation[::43] = 3.0
    for part in (activation, activation[2_000:]):
        beats = _decode(part, DEFAULT)
        assert (np.diff(beats) > 0).all()
        assert (beats < len(part)).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_the_best_period_before_is_that_of_all_pairs(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(4, count))
    score[rng.random(score.shape) < 0.2] = -np.inf
    position = np.sort(rng.normal(size=count))
    values, indices = _best_before(score, position)
    pairs = score[:, :, None] - np.abs(position[:, None] - position[None, :])
    np.testing.assert_allclose(values, pairs.max(axis=1), atol=1e-12)
    is_finite = np.isfinite(values)
    chosen = np.take_along_axis(pairs, indices[:, None, :], axis=1)[:, 0]
    np.testing.assert_allclose(chosen[is_finite], values[is_finite], atol=1e-12)
