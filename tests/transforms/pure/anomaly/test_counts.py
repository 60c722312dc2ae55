"""Counts as they come: what is missing is noticed within minutes, at night as by day, and nights are no alarm."""

import math

import numpy as np
import pytest

from transforms.pure.anomaly.counts import CLIP, HALF, LEAST, CountDetector, CountSettings
from transforms.pure.anomaly.many import SeriesScores
from transforms.pure.anomaly.profile import PARTS

MINUTE, DAY = 60_000_000, 1_440
QUIET = CountSettings()


def times(count: int, start: int = 0) -> np.ndarray:
    return (start + np.arange(count, dtype=np.int64)) * MINUTE


def rate(minutes: np.ndarray) -> np.ndarray:
    """Requests a minute: 12 at four in the morning, 48 twelve hours later."""
    return 30 - 18 * np.cos((minutes % DAY - 240) / DAY * 2 * np.pi)


def traffic(days: int, series: int, seed: int = 0) -> np.ndarray:
    """(series, minutes)."""
    minutes = np.arange(days * DAY)
    return np.random.default_rng(seed).poisson(rate(minutes), (series, len(minutes))).astype(float)


def watched(values: np.ndarray, settings: CountSettings = QUIET) -> SeriesScores:
    """All series at once; (series, minutes) each."""
    series, minutes = values.shape
    names = [f"end{number}/requests" for number in range(series) for _ in range(minutes)]
    found = CountDetector(settings).replay(names, np.tile(times(minutes), series), values.reshape(-1))
    return SeriesScores(*(array.reshape(series, minutes, *array.shape[1:]) for array in vars(found).values()))


def scalar(values: np.ndarray, s: CountSettings) -> list[float]:
    """The same, one number after another, as the docstrings tell it."""
    mean, seen = [0.0] * PARTS, [0] * PARTS
    busy, dispersion, fell, rose = 1.0, 1.0, 0.0, 0.0
    scores = []
    for minute, value in enumerate(values):
        part = minute % DAY * PARTS // DAY
        usual, ready = mean[part], seen[part] >= s.known
        expected = max(usual * busy, LEAST)
        fell = min(max(fell + (value * math.log(s.fall) + expected * (1 - s.fall)) / dispersion, 0), s.highest) * ready
        rose = min(max(rose + (value * math.log(s.rise) + expected * (1 - s.rise)) / dispersion, 0), s.highest) * ready
        scores.append(max(fell, rose))
        weight = s.slow if scores[-1] >= s.calm else 1.0
        learned = value
        if ready:
            size = math.sqrt(dispersion * expected)
            learned = min(max(value, expected - CLIP * size), expected + CLIP * size)
            wide = 1 if (value - expected) ** 2 > HALF * expected * dispersion else -1
            dispersion = max(dispersion * math.exp(s.dispersion * weight * wide), 1.0)
            busy += weight * (1 - 0.5 ** (1 / s.half_life)) * (learned / max(usual, LEAST) - busy)
        seen[part] = min(seen[part] + 1, s.memory)
        mean[part] += weight * (learned - usual) / seen[part]
    return scores


def test_the_score_is_what_the_simple_version_says() -> None:
    values = traffic(3, 2, seed=3)
    values[0, 3_000:3_040] *= 0.2
    values[1, 3_500:3_600] *= 2.5
    found = watched(values)
    for own, score in zip(values, found.score, strict=True):
        np.testing.assert_allclose(score, scalar(own, QUIET), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("at", [4 * 60, 10 * 60, 16 * 60])
@pytest.mark.parametrize(("factor", "channel"), [(0.25, 0), (0.0, 0), (2.5, 1)])
def test_what_falls_away_or_floods_in_is_found_within_five_minutes(at: int, factor: float, channel: int) -> None:
    values = traffic(4, 20, seed=1)
    start = 3 * DAY + at
    values[:, start : start + 30] = np.random.default_rng(2).poisson(rate(np.arange(start, start + 30)) * factor)
    found = watched(values)
    assert (found.score[:, start + 4] > QUIET.calm).mean() >= 0.9
    assert (found.channels[:, start + 4, channel] == found.score[:, start + 4]).mean() >= 0.9


def test_days_and_nights_raise_no_alarm_nor_does_a_weekend() -> None:
    minutes = np.arange(8 * DAY)
    nights = [5 * DAY - 360, 5 * DAY + 120, 7 * DAY - 360, 7 * DAY + 120]
    quieter = np.interp(minutes, nights, [1, 0.8, 0.8, 1])
    values = np.random.default_rng(5).poisson(rate(minutes) * quieter, (10, len(minutes))).astype(float)
    found = watched(values)
    assert found.alarm[:, DAY:].sum() <= 20  # in ten weeks of one series: at e to the eighth, about once a week
    assert (found.score > 12).sum() == 0
    assert not found.score[:, : QUIET.known].any()  # nothing is known yet


def test_counts_that_vary_more_speak_more_softly() -> None:
    minutes = np.arange(5 * DAY)
    wild = np.random.default_rng(6).negative_binomial(5, 5 / (5 + rate(minutes)), (10, len(minutes))).astype(float)
    found = watched(wild)  # seven times the variance of Poisson's at its mean of thirty
    blunt = watched(wild, CountSettings(dispersion=0.0))
    assert found.alarm[:, 2 * DAY :].sum() <= 25  # in four weeks of one series
    assert (blunt.score > QUIET.calm)[:, 2 * DAY :].sum() > 100 * (found.score > QUIET.calm)[:, 2 * DAY :].sum()


def test_an_incident_does_not_become_normal_but_what_stays_is_learned_anew() -> None:
    values = traffic(6, 1, seed=7)
    for begin in (3 * DAY + 600, 4 * DAY + 600):
        values[:, begin : begin + 60] *= 0.2
    found = watched(values)
    assert found.score[0, 4 * DAY + 605] > 0.8 * found.score[0, 3 * DAY + 605] > QUIET.calm
    moved = traffic(6, 1, seed=8)
    moved[:, 3 * DAY :] *= 10
    told = watched(moved)
    anew = np.flatnonzero(told.verdict[0] == "relearned")
    assert abs(anew[0] - (3 * DAY + QUIET.relearn)) < 60
    assert not told.alarm[0, anew[0] + 1 :].any()


def test_one_by_one_and_after_a_restart_all_is_the_same() -> None:
    values = traffic(3, 1, seed=9)[0]
    values[-20:] = 0
    values[[50, 3_000]] = np.nan
    whole = watched(values[None])
    first = CountDetector()
    first.replay(["end0/requests"] * 4_000, times(4_000), values[:4_000])
    second = CountDetector.restore(first.snapshot())
    for minute in range(4_000, len(values)):
        one = second.update(["end0/requests"], times(1, minute), values[minute : minute + 1])
        assert one.score[0] == whole.score[0, minute]
        assert one.alarm[0] == whole.alarm[0, minute]
    assert whole.alarm[0, -20:].any()


def test_odd_values_are_no_error() -> None:
    found = CountDetector().replay(["a"] * 6, times(6), np.array([-5.0, 1e300, 0.0, np.inf, np.nan, 0.5]))
    assert found.verdict.tolist() == ["", "", "", "missing", "missing", ""]
    assert np.isfinite(found.score[[0, 1, 2, 5]]).all()
