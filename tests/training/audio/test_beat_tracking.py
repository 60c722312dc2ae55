"""The network that finds beats: its arrangements, its training, and the same answers in numpy, piece by piece."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.protocols.rendered_songs import font
from feature_repo.errors import InputError
from tests.processes import run_python
from training.models.audio.beat_tracking.arrangement import arrange
from training.models.audio.beat_tracking.rendering import inputs, record, render
from training.models.audio.beat_tracking.styles import CHANCES, DRUMS, STYLES
from transforms.pure.audio import bar_features, bar_network, beat_network, mel
from transforms.pure.audio.beat_network import BeatEvidence, BeatInputs, BeatNetwork
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.temporal_network import load, log_odds

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="no torch: the extra deep")
needs_mido = pytest.mark.skipif(find_spec("mido") is None, reason="no mido: the extra deep")


def test_patterns_cover_a_bar() -> None:
    for name, style in STYLES.items():
        for drum, pattern in style.drums.items():
            assert drum in DRUMS, name
            assert len(pattern) == style.steps, (name, drum)
            assert set(pattern) <= set(CHANCES), (name, drum)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_arrangements_are_repeatable_and_have_notes_on_their_beats(seed: int) -> None:
    first, second = (arrange(np.random.default_rng(seed), 20.0) for _ in range(2))
    assert first.notes == second.notes
    assert np.array_equal(first.beats, second.beats)
    assert first.beats[-1] > 15
    assert (np.diff(first.beats) > 0.15).all()
    assert first.notes
    assert all(0 <= note.key < 128 and 0 < note.velocity < 128 and note.length_s > 0 for note in first.notes)
    meter = STYLES[first.style].meter
    assert first.places.tolist() == [number % meter + 1 for number in range(len(first.beats))]


def test_pieces_give_what_the_whole_gives() -> None:
    rng = np.random.default_rng(0)
    coarse = 2 * beat_network.CONTEXT + 4_000
    power = rng.random((2 * coarse - 1, mel.BANDS), np.float32) ** 4 + np.float32(1e-3)
    power[0] = power[-1] = 1.0
    chroma = rng.random((coarse, 12), np.float32)
    rows = BeatInputs().add(power, chroma)
    network, pieces, place = BeatNetwork(), BeatInputs(), 0
    parts = []
    while place < coarse:
        stop = place + int(rng.integers(1, 900))
        power[2 * place] = 1.0  # the loudest of every piece alike, as levels are relative to it
        network.add(power[2 * place : 2 * stop], chroma[place:stop])
        parts.append(pieces.add(power[2 * place : 2 * stop], chroma[place:stop]))
        place = stop
    assert np.concatenate(parts).shape == rows.shape
    evidence, weights = network.result(), load(beat_network.WEIGHTS)
    np.testing.assert_allclose(evidence.log_odds, log_odds(np.concatenate(parts), weights), atol=1e-4)
    assert evidence.bands.shape == (coarse, bar_features.EVIDENCE)
    assert BeatNetwork().result().log_odds.shape == (0, 2)


@needs_torch
@pytest.mark.parametrize("task", ["beats", "bars"])
def test_numpy_computes_what_torch_trained(task: str) -> None:
    import torch

    from training.models.audio.beat_tracking.fit import _network, _set_weights, _weights
    from training.models.audio.beat_tracking.train import TASKS

    architecture = TASKS[task].architecture
    rows = np.random.default_rng(0).random((700, architecture.inputs), np.float32)
    network, copy = _network(architecture).eval(), _network(architecture).eval()
    _set_weights(copy, _weights(network))
    for module in (network, copy):
        with torch.no_grad():
            expected = module(torch.from_numpy(rows.T[None].copy()))[0].numpy().T
        np.testing.assert_allclose(log_odds(rows, _weights(network)), expected, atol=1e-4)


@needs_torch
@pytest.mark.parametrize(("task", "file"), [("beats", beat_network.WEIGHTS), ("bars", bar_network.WEIGHTS)])
def test_the_weights_that_come_along_are_those_of_the_network(task: str, file: Path) -> None:
    from training.models.audio.beat_tracking.fit import _network, _weights
    from training.models.audio.beat_tracking.train import TASKS

    with np.load(file) as shipped:
        shapes = {name: (shipped[name].shape, shipped[name].dtype) for name in shipped.files}
    weights = _weights(_network(TASKS[task].architecture))
    assert shapes == {name: (values.shape, np.float16) for name, values in weights.items()}


@needs_torch
def test_training_learns_the_beats_of_clicks() -> None:
    from training.models.audio.beat_tracking.fit import FitRecipe, fit
    from training.models.audio.beat_tracking.targets import beat_example

    rng = np.random.default_rng(0)
    examples = []
    for period in (20, 24, 30, 36) * 4:
        rows = rng.random((800, beat_network.INPUTS), np.float32) * np.float32(0.2)
        frames = np.arange(int(rng.integers(period)), 800, period)
        rows[frames, :16] += 2
        examples.append(beat_example(rows, frames / beat_network.FRAMES_A_SECOND, np.arange(len(frames)) % 4 == 0))
    notes: list[str] = []
    weights = fit(
        examples, FitRecipe(epochs=20, batch=4, length=400), progress=lambda done, total, note="": notes.append(note)
    )
    assert len(notes) == 20
    odds, is_beat = log_odds(examples[0].inputs, weights)[:, 0], examples[0].targets[:, 0]
    assert odds[is_beat == 1].mean() > odds[is_beat == 0].mean() + 3


def test_beats_that_are_twice_as_many_teach_nothing() -> None:
    from training.models.audio.beat_tracking.targets import bar_example

    rng, frames = np.random.default_rng(0), 900
    evidence = BeatEvidence(
        rng.normal(size=(frames, 2)).astype(np.float32), np.zeros((frames, bar_features.EVIDENCE), np.float16)
    )
    chroma, beats = rng.random((frames, 12)), np.arange(1, 19.0)
    is_downbeat, is_known = np.arange(18) % 4 == 0, np.arange(18) < 10
    once = bar_example(beats + 0.02, evidence, chroma, beats, is_downbeat, is_known)
    assert once is not None
    assert once.weight.tolist() == is_known.tolist()
    assert once.targets[:, 0].tolist() == is_downbeat.tolist()
    twice = bar_example(np.arange(1, 18.6, 0.5), evidence, chroma, beats, is_downbeat, is_known)
    assert twice is not None
    assert not twice.weight.any()
    assert bar_example(beats[:5], evidence, chroma, beats, is_downbeat, is_known) is None


def test_bars_of_songs_are_known_where_both_annotations_agree(tmp_path: Path) -> None:
    from training.models.audio.beat_tracking.pop909 import song_beats

    midi = [f"{beat / 2} {float(beat % 2 == 0)} {float(beat % 4 == 0)}" for beat in range(16)]
    (tmp_path / "beat_midi.txt").write_text("\n".join(midi))
    recorded = [1, 2, 3, 4, 1, 2, 1, 2, 4, 1, 2, 3]  # as the MIDI file; two halves; a beat later; and then nothing
    rows = [f"{beat / 2 + 0.05} {float(place)}" for beat, place in enumerate(recorded)]
    (tmp_path / "beat_audio.txt").write_text("\n".join(rows))
    song = song_beats(tmp_path)
    assert song.is_known.tolist() == [True] * 8 + [False] * 8
    assert np.flatnonzero(song.is_downbeat).tolist() == [0, 4, 8, 12]
    assert np.flatnonzero(song.is_recorded).tolist() == [0, 4, 6, 9]
    part = song.part(2.0, 2.0)
    assert part.times.tolist() == [0.0, 0.5, 1.0, 1.5]
    assert part.is_known.all()


@needs_mido
def test_a_rendered_arrangement_has_its_beats() -> None:
    soundfont = font()
    if soundfont is None:
        pytest.skip("no fluidsynth with a General MIDI soundfont; apt-get install fluidsynth fluid-soundfont-gm")
    rng = np.random.default_rng([2, 1])
    arrangement = arrange(rng, 20.0)
    samples = render(arrangement, soundfont)
    assert len(samples) > 15 * RATE
    assert np.abs(samples).max() > 1e-3
    rows = inputs(record(samples, rng)[: 20 * RATE])
    assert rows.shape[1] == beat_network.INPUTS
    assert np.isfinite(rows).all()


def test_without_fluidsynth_or_soundfont_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="apt-get install fluidsynth"):
        render(arrange(np.random.default_rng(0), 5.0), tmp_path / "none.sf2")


@pytest.mark.journeys
@needs_torch
@needs_mido
@pytest.mark.parametrize(("task", "file"), [("beats", beat_network.WEIGHTS), ("bars", bar_network.WEIGHTS)])
def test_the_command_writes_weights_that_the_network_takes(task: str, file: Path, tmp_path: Path) -> None:
    soundfont = font()
    if soundfont is None:
        pytest.skip("no fluidsynth with a General MIDI soundfont; apt-get install fluidsynth fluid-soundfont-gm")
    out = tmp_path / "weights.npz"
    options = ["--task", task, "--soundfont", str(soundfont), "--songs", "10", "--epochs", "1", "--start", str(file)]
    run_python("-m", "refrain", "model", "beat-network", str(out), *options, check=True)
    with np.load(out) as arrays, np.load(file) as shipped:
        assert {name: arrays[name].shape for name in arrays.files} == {
            name: shipped[name].shape for name in shipped.files
        }
