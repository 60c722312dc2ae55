"""Each attack changes what it says it changes, and finds what an exhaustive search finds."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from training.robustness.attack import DoesNotApply, attacks, choose
from training.robustness.attacks.anomalies.mimicry import blend
from training.robustness.attacks.anomalies.slow_drift import slow_down
from training.robustness.attacks.rows.certified import certify, lower_bound
from training.robustness.attacks.rows.few_features import least_count
from training.robustness.attacks.rows.hop_skip_jump import least_distances
from training.robustness.attacks.sounds.time_stretch import stretch
from training.robustness.attacks.texts.homoglyphs import disguise
from training.robustness.attacks.texts.typos import mistype_words
from training.robustness.attacks.texts.word_importance import least_share
from training.robustness.attacks.texts.zero_width import interleave
from training.robustness.target import Target, rows_target
from transforms.pure.audio.stft import RATE
from transforms.pure.text.lookalikes import undisguise

RNG = np.random.default_rng(0)
RANDOM_TEXTS = st.text(st.sampled_from("abcdehiop stuvxy.@19"), max_size=60)


def linear_target(weights: np.ndarray, rows: np.ndarray, movable: np.ndarray | None = None) -> Target[np.ndarray]:
    """A decision by the sign of a weighted sum; every row has the label that it decides."""

    def scores(inputs: np.ndarray) -> np.ndarray:
        sums = np.nan_to_num(inputs) @ weights
        return np.column_stack([-sums, sums])

    labels = (rows @ weights > 0).astype(np.int64)
    scale = np.ones(rows.shape[1])
    grids = [np.linspace(-3, 3, 13)] * rows.shape[1]
    return rows_target(
        rows, labels, lambda x: scores(x).argmax(axis=1), scores, scale, movable=movable, grids=grids, bounds=(-9, 9)
    )


@given(RANDOM_TEXTS, st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_disguises_are_undone(text: str, share: float, seed: int) -> None:
    """Whatever mixes scripts within a word, or hides characters in one, becomes what it was."""
    rng = np.random.default_rng(seed)
    hidden = interleave(text, share, rng)
    assert re.sub(r"[^\x00-\x7f]", "", hidden) == text
    disguised = disguise(text, share, rng)
    words = zip(text.split(" "), undisguise(disguised).split(" "), disguised.split(" "), strict=True)
    for plain, undone, changed in words:
        runs = re.findall(r"[^\W\d_]+", changed)
        if all(run.isascii() or re.search("[a-z]", run) for run in runs):
            assert undone == plain


def test_texts_in_other_scripts_are_left_alone() -> None:
    for text in ("Песня о любви", "Τραγούδι", "می\u200cروم", "👩\u200d🎤", "naïve café", "10 µm", "плохо good"):
        assert undisguise(text) == text


def test_typos_leave_short_words_and_first_letters_alone() -> None:
    text = "it is a wonderful evening"
    changed = mistype_words(text, 1.0, np.random.default_rng(1))
    pairs = list(zip(text.split(), changed.split(), strict=True))
    assert [one for one, other in pairs if one == other] == ["it", "is", "a"]
    assert all(one[0] == other[0] for one, other in pairs)
    assert mistype_words(text, 0.0, np.random.default_rng(1)) == text


def test_word_importance_changes_the_word_that_decides() -> None:
    """Of six words one decides: a sixth suffices. A text that is wrong already needs nothing, one of no words stays."""

    def margins(texts: list[str], units: np.ndarray) -> np.ndarray:
        return np.array([1.0 if "wonderful" in text else -1.0 for text in texts])

    target = Target("texts", ["the wonderful singer sang all night", "nothing here", "!"], margins, "accuracy")
    assert least_share(target, 0, RNG) == pytest.approx(1 / 6)
    assert least_share(target, 1, RNG) == 0.0
    without_words = Target("texts", ["!"], lambda texts, units: np.ones(len(texts)), "accuracy")
    assert least_share(without_words, 0, RNG) == float("inf")


@given(st.integers(0, 1_000))
@settings(max_examples=8, deadline=None)
def test_hop_skip_jump_comes_near_the_least_distance(seed: int) -> None:
    """Of a linear decision the least distance is known; a fixed input must not move."""
    rng = np.random.default_rng(seed)
    weights, rows = rng.normal(size=4) + 0.1, rng.normal(size=(24, 4)).astype(np.float32)
    movable = np.array([True, True, True, False])
    target = linear_target(weights, rows, movable)
    if len(np.unique(target.labels)) < 2:
        return
    distances = least_distances(target, rng)
    least = np.abs(rows @ weights) / np.linalg.norm(weights[:3])
    reached = np.isfinite(distances)
    assert (distances[reached] >= least[reached] - 1e-3).all()
    assert np.median(distances[reached] / np.maximum(least[reached], 1e-3)) < 1.5


@given(st.integers(0, 1_000))
@settings(max_examples=15, deadline=None)
def test_few_features_is_exact_for_one_input(seed: int) -> None:
    """The naive search tries every value of every input alone."""
    rng = np.random.default_rng(seed)
    target = linear_target(rng.normal(size=3), rng.normal(size=(6, 3)).astype(np.float32))
    for unit in range(6):
        naive = any(
            target.margins(np.where(np.arange(3) == column, value, target.inputs[unit])[None], np.array([unit]))[0] <= 0
            for column in range(3)
            for value in target.extra["grids"][column]
        )
        assert (least_count(target, unit, 1) == 1.0) == naive


def test_the_bound_of_a_chance_is_that_of_clopper_and_pearson() -> None:
    for successes, draws in ((1, 10), (499, 500), (500, 500), (260, 500)):
        expected = beta.ppf(0.001, successes, draws - successes + 1)
        assert lower_bound(successes, draws) == pytest.approx(expected)


def test_a_certificate_holds_and_a_row_on_the_boundary_gets_none() -> None:
    """Of a linear decision the smoothed answer turns at the distance from the boundary: no radius may exceed it."""
    weights = np.array([3.0, 4.0])
    rows = np.array([[0.6, 0.8], [0.12, 0.16], [0.0, 1e-6]], np.float32)
    target = linear_target(weights, rows)
    distances = np.abs(rows @ weights) / 5
    for unit in range(2):
        answer, radius = certify(target, unit, 0.5, np.random.default_rng(unit))
        assert answer == target.labels[unit]
        assert 0 < radius <= distances[unit]
    assert certify(target, 2, 0.5, np.random.default_rng(0)) == (None, 0.0)


def test_mimicry_keeps_what_it_gives_up_to_the_strength() -> None:
    row, normal = {"bytes": 100.0, "flag": "S0", "rate": None}, {"bytes": 0.0, "flag": "SF", "rate": 2.0}
    assert blend(row, normal, 0.25) == {"bytes": 75.0, "flag": "S0", "rate": None}
    assert blend(row, normal, 0.9) == {"bytes": pytest.approx(10.0), "flag": "SF", "rate": 2.0}


def test_slow_drift_reaches_the_same_height_later() -> None:
    stream = np.stack([np.zeros(50), np.where(np.arange(50) >= 10, 4.0, 0.0)])
    slow = slow_down(stream, 20, RNG)[1]
    assert slow[:10].max() == 0
    assert (np.diff(slow[9:30]) > 0).all()
    assert slow[29:].tolist() == [4.0] * 21


@pytest.mark.parametrize("name", [name for name, one in attacks().items() if one.kinds == ("sounds",)])
def test_sounds_of_every_length_pass(name: str) -> None:
    """Silence, no sample, a click and a second: finite numbers come out, nearly as many, and the input stays."""
    if name == "pgd_waveform":
        pytest.skip("it needs a network: test_gradients")
    tone = (0.5 * np.sin(np.arange(RATE) * 0.2)).astype(np.float32)
    for sound in (np.zeros(0, np.float32), np.zeros(3_000, np.float32), tone[:1], tone):
        before = sound.copy()
        received: list[np.ndarray] = []

        def margins(changed: list[np.ndarray], units: np.ndarray, received: list[np.ndarray] = received) -> np.ndarray:
            received.extend(changed)
            return np.ones(len(changed))

        one = attacks()[name]
        values = one.measure(Target("sounds", [sound], margins, "accuracy"), one.strengths, np.random.default_rng(0))
        assert values.shape == (len(one.strengths), 1)
        assert all(np.isfinite(changed).all() and changed.dtype == np.float32 for changed in received)
        assert all(0.7 * len(sound) <= len(changed) <= 1.3 * len(sound) + 1 for changed in received)
        assert (sound == before).all()


def test_a_stretched_tone_keeps_its_pitch() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE).astype(np.float32)
    for seed in range(3):
        changed = stretch(tone, 10.0, np.random.default_rng(seed))
        heard = np.abs(np.fft.rfft(changed * np.hanning(len(changed)))).argmax() * RATE / len(changed)
        assert len(changed) / len(tone) == pytest.approx(1.1, abs=0.02) or len(changed) / len(tone) < 0.92
        assert heard == pytest.approx(440, abs=2)


def test_attacks_say_why_they_do_not_apply() -> None:
    numbers = Target(
        "rows",
        np.ones((3, 2), np.float32),
        lambda rows, units: -np.ones(len(rows)),
        "absolute_error",
        graded=True,
        extra={"scale": np.ones(2), "movable": np.zeros(2, bool), "grids": (), "low": -1.0, "high": 1.0},
    )
    for one in choose((), ["rows"]):
        with pytest.raises(DoesNotApply):
            one.measure(numbers, one.strengths, np.random.default_rng(0))
