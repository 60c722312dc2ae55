"""Bars: the decoder against all paths of short pieces, and what features of beats do not depend on."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.pure.audio import bar_features, bar_network, bars, beat_level, tempo
from transforms.pure.audio.onsets import FRAMES_A_SECOND


def _cost(meters: list[int], first: int, log_odds: np.ndarray) -> float:
    """Score of bars of some meters, the first of which begins at place ``first``."""
    places = [range(first, meters[0] + 1), *(range(1, meter + 1) for meter in meters[1:])]
    flat = [(place, bar) for bar, bar_places in enumerate(places) for place in bar_places][: len(log_odds)]
    score = -bars._UNUSUAL[bars.METERS.index(meters[0])]
    for beat, (place, bar) in enumerate(flat):
        if place == 1:
            score += log_odds[beat] - bars._BAR[bars.METERS.index(meters[bar])]
            if bar and beat:
                score -= bars._CHANGE * (meters[bar] != meters[bar - 1])
    return float(score)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_the_bars_are_the_best_of_all(count: int, seed: int) -> None:
    log_odds = np.random.default_rng(seed).normal(0, 4, count)
    best = max(
        _cost(list(meters), first, log_odds)
        for bar_count in range(1, count // 2 + 2)
        for meters in itertools.product(bars.METERS, repeat=bar_count)
        for first in range(1, meters[0] + 1)
        if sum(meters) - first + 1 >= count > sum(meters[:-1]) - (first - 1 if bar_count > 1 else 0)
    )
    places, meter = bars.decode(log_odds)
    starts = np.flatnonzero(places == 1)
    meters = [int(meter[0])] + [int(meter[start]) for start in starts if start]
    assert _cost(meters, int(places[0]), log_odds) == pytest.approx(best)
    assert (places <= meter).all()
    for before, after, last in zip(places, places[1:], meter, strict=False):
        assert after == (1 if before == last else before + 1)


@pytest.mark.parametrize("meter", bars.METERS)
@pytest.mark.parametrize("pick_up", [0, 1])
def test_every_meter_is_counted_from_its_pick_up(meter: int, pick_up: int) -> None:
    is_downbeat = (np.arange(60) - pick_up) % meter == 0
    places, meters = bars.decode(np.where(is_downbeat, 5.0, -5.0))
    assert np.array_equal(places == 1, is_downbeat)
    assert set(meters[pick_up:].tolist()) == {meter}
    assert places[0] == (1 if not pick_up else meter)


def test_a_bar_of_another_meter_moves_the_bars_after_it() -> None:
    starts = [0, 4, 8, 12, 14, 18, 22, 26, 30]
    log_odds = np.where(np.isin(np.arange(34), starts), 6.0, -6.0)
    places, meters = bars.decode(log_odds)
    assert np.flatnonzero(places == 1).tolist() == starts
    assert meters[12] == 2
    one_doubtful = log_odds.copy()
    one_doubtful[[18, 20]] = 0.5, 1.0
    assert np.flatnonzero(bars.decode(one_doubtful)[0] == 1).tolist() == starts
    assert len(bars.decode(np.empty(0))[0]) == 0


def test_numbers_of_beats_are_finite_and_transpose_with_the_sound() -> None:
    rng = np.random.default_rng(0)
    bands = rng.normal(-3, 2, (400, bar_features.EVIDENCE)).astype(np.float16)
    odds, chroma = rng.normal(0, 3, (400, 2)).astype(np.float32), rng.random((400, 12)).astype(np.float32)
    beats = np.arange(5, 420, 21)  # the last one lies beyond the end
    rows = bar_features.of_beats(beats, bands, odds, chroma)
    assert rows.shape == (len(beats), bar_features.COLUMNS)
    assert np.isfinite(rows).all()
    higher = bar_features.of_beats(beats, bands, odds, np.roll(chroma, 3, axis=1))
    np.testing.assert_allclose(higher[:, bar_features.CHROMA], np.roll(rows[:, bar_features.CHROMA], 3, axis=1))
    others = np.setdiff1d(np.arange(bar_features.COLUMNS), np.arange(bar_features.COLUMNS)[bar_features.CHROMA])
    np.testing.assert_allclose(higher[:, others], rows[:, others], atol=1e-5)
    silent = bar_features.of_beats(beats, np.full_like(bands, -10), odds * 0, chroma * 0)
    assert np.isfinite(bar_network.of_features(silent)).all()


def test_beats_are_doubled_where_the_network_hears_some_between() -> None:
    beats = np.arange(20, 860, 80)
    both = np.full(450, -6.0)
    both[10:430:20] = 3.0
    once = both.copy()
    once[30:430:40] = -6.0
    onset = np.zeros(900)
    onset[20:860:40] = 1.0
    assert beat_level.is_half(beats, both, onset)
    assert not beat_level.is_half(beats, once, onset)
    assert not beat_level.is_half(beats[:7], both, onset)
    onset[60:860:80] = 0.0  # nothing sounds there
    assert not beat_level.is_half(beats, both, onset)
    activation = np.zeros(900)
    activation[beats[:-1] + 41] = 1.0
    twice = beat_level.doubled(beats, activation)
    assert twice.tolist() == sorted([*beats.tolist(), *(beats[:-1] + 41).tolist()])


def test_candidates_for_the_tempo_hold_the_one_that_was_chosen() -> None:
    activation = np.full(2_600, -0.5)
    activation[::43] = 2.0  # 120 beats a minute
    periods = np.arange(16, 173)
    found = tempo.candidates(activation, periods, 120.2, 115, 0.75)
    assert found[0][0] == 120.2
    assert sum(strength for _, strength in found) == pytest.approx(1)
    assert [strength for _, strength in found] == sorted((strength for _, strength in found), reverse=True)
    assert any(candidate == pytest.approx(60 * FRAMES_A_SECOND / 86, rel=0.02) for candidate, _ in found)
    assert len(found) <= tempo.MOST
    assert tempo.candidates(-np.ones(600), periods, 100.0, 115, 0.75) == ((100.0, 0.0),)
