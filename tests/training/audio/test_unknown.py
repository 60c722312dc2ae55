"""Unknown means a class that was not learned, not another recorder: on notes that are made here, through recorders."""

from collections.abc import Callable

import numpy as np
import pytest

from training.models.audio import heads, recorders
from training.models.audio.distance import LIMIT
from training.models.audio.recorders import Recorder, learn_shifts, shifts
from training.models.audio.tasks import Task
from training.models.audio.unknown import unknown_figures, without_classes
from transforms.pure.audio.described import WIDTH, described, vector
from transforms.pure.audio.stft import RATE
from transforms.pure.audio.track import analyze
from transforms.raw.simulate.sound import timbre
from transforms.raw.simulate.sound.song import compose

KINDS = ("flute", "organ", "piano")


def _vectors(kinds: list[str], record: Callable[[np.ndarray], np.ndarray], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = []
    for kind in kinds:
        note = timbre.note(timbre.voice(kind, rng), float(rng.uniform(150, 600)), 0.7, 0.5, rng)
        rows.append(vector(described(analyze([record(note * np.float32(0.3))]))))
    return np.array(rows)


def _task(kinds: list[str]) -> Task:
    return Task("genre", "one_of", KINDS, (np.array(kinds)[:, None] == np.array(KINDS)).astype(np.float64))


@pytest.fixture(scope="module")
def learned() -> tuple[np.ndarray, list[str]]:
    kinds = [KINDS[number % 3] for number in range(60)]
    return _vectors(kinds, lambda sound: sound, 1), kinds


def _recorded(samples: np.ndarray) -> np.ndarray:
    """Return a sound that is darker and quieter, with a noise floor."""
    recorder = Recorder(0.5, (None, 6_000.0), 0.0, np.empty(0), -60.0, 0.0, -25.0)
    return recorder.record(samples, np.random.default_rng(7))


def test_another_recorder_is_known_and_a_song_is_not(learned: tuple[np.ndarray, list[str]]) -> None:
    inputs, kinds = learned
    groups = np.arange(60) // 4
    model = heads.fit(inputs, [_task(kinds)], groups, shifts=shifts())
    without = heads.fit(inputs, [_task(kinds)], groups)
    other_kinds = [KINDS[number % 3] for number in range(24)]
    other = _vectors(other_kinds, _recorded, 2)
    answers, distances = model.answers(other)
    assert (distances > LIMIT).mean() <= 0.1
    assert (without.answers(other)[1] > LIMIT).mean() > 0.4  # what the directions of recorders are for
    assert (answers["genre"].argmax(axis=1) == _task(other_kinds).targets.argmax(axis=1)).mean() > 0.6
    song = compose("rock", 4.0, 1, np.random.default_rng(3)).samples.mean(axis=1)
    assert model.answers(np.array([vector(described(analyze([song])))]))[1][0] > LIMIT


def test_classes_that_were_not_learned_are_farther() -> None:
    """Sources move all rows alike; limits by sources hold for a new one, and a new class is beyond them."""
    rng = np.random.default_rng(0)
    centres = 6 * rng.normal(size=(5, 8))
    classes, sources = np.arange(400) % 5, np.arange(400) // 100
    rows = centres[classes] + rng.normal(size=(400, 8)) + 1.5 * rng.normal(size=(4, 8))[sources]
    train = (sources < 3) & (classes < 4)
    task = Task("genre", "one_of", tuple("abcd"), np.eye(5)[classes][:, :4])
    model = heads.fit(rows[train], [task.take(train.nonzero()[0])], np.arange(400)[train] // 3, sources=sources[train])
    distances = model.answers(rows[sources == 3])[1]
    is_new = classes[sources == 3] == 4
    assert (distances[~is_new] > LIMIT).mean() < 0.2
    assert (distances[is_new] > LIMIT).mean() > 0.9


def test_figures_are_of_what_was_left_out() -> None:
    rng = np.random.default_rng(0)
    classes = np.arange(240) % 6
    rows = 5 * rng.normal(size=(6, 8))[classes] + rng.normal(size=(240, 8))
    task = Task("genre", "one_of", tuple("abcdef"), np.eye(6)[classes])
    for sources in (None, np.arange(240) // 60):
        values = unknown_figures(rows, [task], np.arange(240) // 6, sources=sources)
        assert values["unseen_auc"] > 0.9
        assert values["known_called_unknown"] < 0.15
    noise = unknown_figures(rng.normal(size=rows.shape), [task], np.arange(240) // 6)
    assert noise["unseen_auc"] == pytest.approx(0.5, abs=0.15)
    two, numbers = without_classes(task, np.array([0, 2, 3, 5]))
    assert two.classes == ("b", "e")
    assert numbers.tolist() == [1, 4]
    assert unknown_figures(rows, [two], np.arange(240) // 6) == {}


def test_recorders_move_what_they_should(tmp_path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "shifts.npz"
    assert 0.9 < learn_shifts(out, count=4) < 1.001
    assert shifts().shape == (WIDTH, recorders.DIRECTIONS)
    spread = np.sqrt((shifts() ** 2).sum(axis=1))
    assert spread[7] > 1  # level, a natural logarithm: 30 dB are 3.5
    assert spread[0] < spread[7]  # tempo
    sound = np.sin(np.arange(RATE) / 9).astype(np.float32)
    first, second = (Recorder.draw(np.random.default_rng(5)).record(sound, np.random.default_rng(6)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(Recorder.draw(np.random.default_rng(5)).record(0 * sound, np.random.default_rng(6))).all()
