"""Streaming detection on counts: drops are found within minutes at any hour, and normal nights raise no alarm."""

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
    """Returns the expected requests per minute: 12 at 4:00, 48 at 16:00."""
    return 30 - 18 * np.cos((minutes % DAY - 240) / DAY * 2 * np.pi)


def traffic(days: int, series: int, seed: int = 0) -> np.ndarray:
    """Returns simulated request counts as (series, minutes)."""
    minutes = np.arange(days * DAY)
    return np.random.default_rng(seed).poisson(rate(minutes), (series, len(minutes))).astype(float)


def detect(values: np.ndarray, settings: CountSettings = QUIET) -> SeriesScores:
    """Detects on all series at once; each array of the result is (series, minutes)."""
    return replay(CountDetector(settings), values)


def replay(detector: CountDetector, values: np.ndarray, start: int = 0) -> SeriesScores:
    """Shows a detector all series at once, from minute ``start`` on."""
    series, minutes = values.shape
    names = [f"end{number}/requests" for number in range(series) for _ in range(minutes)]
    scores = detector.replay(names, np.tile(times(minutes, start), series), values.reshape(-1))
    return SeriesScores(*(array.reshape(series, minutes, *array.shape[1:]) for array in vars(scores).values()))


def scalar_scores(values: np.ndarray, settings: CountSettings) -> list[float]:
    """Returns the scores of one series, computed value by value as the docstrings describe."""
    mean, counts = [0.0] * PARTS, [0] * PARTS
    busy, dispersion, low_sum, high_sum = 1.0, 1.0, 0.0, 0.0
    scores = []
    for minute, value in enumerate(values):
        part = minute % DAY * PARTS // DAY
        part_mean, is_known = mean[part], counts[part] >= settings.known
        expected = max(part_mean * busy, LEAST)
        low_sum = (
            min(
                max(low_sum + (value * math.log(settings.fall) + expected * (1 - settings.fall)) / dispersion, 0),
                settings.highest,
            )
            * is_known
        )
        high_sum = (
            min(
                max(high_sum + (value * math.log(settings.rise) + expected * (1 - settings.rise)) / dispersion, 0),
                settings.highest,
            )
            * is_known
        )
        scores.append(max(low_sum, high_sum))
        weight = settings.slow if scores[-1] >= settings.calm else 1.0
        clipped = value
        if is_known:
            deviation = math.sqrt(dispersion * expected)
            clipped = min(max(value, expected - CLIP * deviation), expected + CLIP * deviation)
            direction = 1 if (value - expected) ** 2 > HALF * expected * dispersion else -1
            dispersion = max(dispersion * math.exp(settings.dispersion * weight * direction), 1.0)
            busy += weight * (1 - 0.5 ** (1 / settings.half_life)) * (clipped / max(part_mean, LEAST) - busy)
        counts[part] = min(counts[part] + 1, settings.memory)
        mean[part] += weight * (clipped - part_mean) / counts[part]
    return scores


def test_the_score_is_what_the_simple_version_says() -> None:
    values = traffic(3, 2, seed=3)
    values[0, 3_000:3_040] *= 0.2
    values[1, 3_500:3_600] *= 2.5
    scores = detect(values)
    for series_values, score in zip(values, scores.score, strict=True):
        np.testing.assert_allclose(score, scalar_scores(series_values, QUIET), rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module")
def after_three_days() -> bytes:
    """A detector that has seen three days of twenty series."""
    values = traffic(4, 20, seed=1)[:, : 3 * DAY]
    detector = CountDetector(QUIET)
    replay(detector, values)
    return detector.snapshot()


@pytest.mark.parametrize("at", [4 * 60, 10 * 60, 16 * 60])
@pytest.mark.parametrize(("factor", "channel"), [(0.25, 0), (0.0, 0), (2.5, 1)])
def test_what_falls_away_or_floods_in_is_found_within_five_minutes(
    after_three_days: bytes, at: int, factor: float, channel: int
) -> None:
    values, start = traffic(4, 20, seed=1)[:, 3 * DAY :], 3 * DAY + at
    values[:, at : at + 30] = np.random.default_rng(2).poisson(rate(np.arange(start, start + 30)) * factor, (20, 30))
    scores = replay(CountDetector.restore(after_three_days), values[:, : at + 5], start=3 * DAY)
    assert (scores.score[:, at + 4] > QUIET.calm).mean() >= 0.9
    assert (scores.channels[:, at + 4, channel] == scores.score[:, at + 4]).mean() >= 0.9


def test_days_and_nights_raise_no_alarm_nor_does_a_weekend() -> None:
    minutes = np.arange(8 * DAY)
    edges = [5 * DAY - 360, 5 * DAY + 120, 7 * DAY - 360, 7 * DAY + 120]
    weekend_factor = np.interp(minutes, edges, [1, 0.8, 0.8, 1])
    values = np.random.default_rng(5).poisson(rate(minutes) * weekend_factor, (10, len(minutes))).astype(float)
    scores = detect(values)
    assert scores.alarm[:, DAY:].sum() <= 20  # ten series for seven days: at most two alarms per series and week
    assert (scores.score > 12).sum() == 0
    assert not scores.score[:, : QUIET.known].any()  # not enough history yet


def test_counts_that_vary_more_speak_more_softly() -> None:
    minutes = np.arange(5 * DAY)
    noisy = np.random.default_rng(6).negative_binomial(5, 5 / (5 + rate(minutes)), (10, len(minutes))).astype(float)
    scores = detect(noisy)  # seven times the variance of a Poisson distribution with a mean of thirty
    uncorrected = detect(noisy, CountSettings(dispersion=0.0))
    assert scores.alarm[:, 2 * DAY :].sum() <= 25  # ten series for three days
    assert (uncorrected.score > QUIET.calm)[:, 2 * DAY :].sum() > 100 * (scores.score > QUIET.calm)[:, 2 * DAY :].sum()


def test_an_incident_does_not_become_normal_but_what_stays_is_learned_anew() -> None:
    values = traffic(6, 1, seed=7)
    for start in (3 * DAY + 600, 4 * DAY + 600):
        values[:, start : start + 60] *= 0.2
    scores = detect(values)
    assert scores.score[0, 4 * DAY + 605] > 0.8 * scores.score[0, 3 * DAY + 605] > QUIET.calm
    shifted = traffic(6, 1, seed=8)
    shifted[:, 3 * DAY :] *= 10
    shifted_scores = detect(shifted)
    relearned = np.flatnonzero(shifted_scores.verdict[0] == "relearned")
    assert abs(relearned[0] - (3 * DAY + QUIET.relearn)) < 60
    assert not shifted_scores.alarm[0, relearned[0] + 1 :].any()


def test_one_by_one_and_after_a_restart_all_is_the_same() -> None:
    values = traffic(3, 1, seed=9)[0]
    values[-20:] = 0
    values[[50, 3_000]] = np.nan
    all_scores = detect(values[None])
    first = CountDetector()
    first.replay(["end0/requests"] * 4_000, times(4_000), values[:4_000])
    second = CountDetector.restore(first.snapshot())
    for minute in range(4_000, len(values)):
        scores = second.update(["end0/requests"], times(1, minute), values[minute : minute + 1])
        assert scores.score[0] == all_scores.score[0, minute]
        assert scores.alarm[0] == all_scores.alarm[0, minute]
    assert all_scores.alarm[0, -20:].any()


def test_odd_values_are_no_error() -> None:
    scores = CountDetector().replay(["a"] * 6, times(6), np.array([-5.0, 1e300, 0.0, np.inf, np.nan, 0.5]))
    assert scores.verdict.tolist() == ["", "", "", "missing", "missing", ""]
    assert np.isfinite(scores.score[[0, 1, 2, 5]]).all()
