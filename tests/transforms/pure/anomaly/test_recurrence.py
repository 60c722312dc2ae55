"""What came before is less of an alarm: episodes that come again, and series that vary more where they are large."""

import numpy as np
import pytest

from tests.transforms.pure.anomaly.replays import replay_each
from transforms.pure.anomaly import recurrence, roots
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.many import SeriesScores
from transforms.pure.anomaly.series import SeriesDetector, SeriesSettings

STEP = 300_000_000
LEVEL = np.array([10.0])


def discount(state: recurrence.State, window: list[float], count: int, score: float = 9.0) -> float:
    newest = np.array([window])
    return float(recurrence.discount(state, np.array([score]), newest, LEVEL, np.array([count]))[0])


def test_an_episode_is_news_twice_and_its_like_is_not() -> None:
    state = recurrence.start(1)
    spike = [60.0, 10.0, 11.0, 10.0, 9.0]
    assert discount(state, spike, 100) == 1.0
    assert discount(state, spike, 200) == 1.0
    assert discount(state, spike, 300) == 0.0
    nearly = [value + 1 for value in spike]
    assert discount(state, nearly, 400) == pytest.approx(1 / np.mean(np.abs(np.array(nearly) - 10)) / recurrence.NEAR)
    assert discount(state, [200.0, 10.0, 11.0, 10.0, 9.0], 500) == 1.0  # greater than all before


def test_only_high_scores_are_remembered_and_an_episode_is_not_its_own_past() -> None:
    state = recurrence.start(1)
    for count in range(100, 160):
        assert discount(state, [60.0] * 5, count) == 1.0
    assert state["episode_next"][0] == recurrence.LONGEST
    assert discount(state, [10.0] * 5, 300, score=recurrence.UNUSUAL - 0.1) == 1.0
    assert state["unusual_count"][0] == 159


def series_scores(*series: np.ndarray) -> list[SeriesScores]:
    return replay_each(np.arange(len(series[0]), dtype=np.int64) * STEP, *series)


def test_a_job_that_comes_again_is_no_alarm_and_what_differs_is() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(50, 2, 6_000)
    values[400::300] += 40
    differing = values.copy()
    differing[5_850:5_853] += 200
    same_again, what_differs = series_scores(values, differing)
    assert not same_again.alarm[1_000::300].any()
    assert what_differs.alarm[5_850:5_860].any()


def test_without_recall_the_same_scores_as_before() -> None:
    values = np.random.default_rng(0).normal(50, 2, 1_500)
    values[400::300] += 40
    times = np.arange(len(values), dtype=np.int64) * STEP
    plain = SeriesDetector(SeriesSettings(recall=False)).replay(["a/x"] * len(values), times, values)
    np.testing.assert_allclose(plain.score, plain.channels.sum(axis=1))
    (recalled,) = series_scores(values)
    assert recalled.score[1_300] < 0.7 * plain.score[1_300]
    np.testing.assert_array_equal(recalled.channels, plain.channels)


def test_counts_with_bursts_of_all_sizes_raise_few_alarms() -> None:
    rng = np.random.default_rng(1)
    rate = np.full(6_000, 5.0)
    for place, size in zip(rng.integers(500, 6_000, 20), rng.pareto(1.4, 20) + 0.5, strict=True):
        rate[place : place + 6] += 10 * size * np.exp(-np.arange(len(rate[place : place + 6])) / 2)
    rate[5_500:5_506] = 2_000
    alarm = series_scores(rng.poisson(rate).astype(float))[0].alarm
    assert alarm[5_500:5_506].any()
    assert alarm[:5_500].sum() <= 14


def test_roots_are_left_at_the_first_negative_value() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(100, 3, 3_000)
    shifted = values.copy()
    shifted[1_500] = -1.0  # from here on, the values themselves are compared
    plain, left = series_scores(values, shifted)
    assert left.alarm[1_500]
    assert left.alarm[1_600:].sum() <= plain.alarm[1_600:].sum() + 1
    np.testing.assert_allclose(left.expected[2_000:], plain.expected[2_000:], rtol=0.05)
    assert np.corrcoef(left.score[2_500:], plain.score[2_500:])[0, 1] > 0.6


def test_roots_invert() -> None:
    values, signed = np.array([[4.0, 0.25], [-3.0, 7.0]]), np.array([False, True])
    np.testing.assert_allclose(roots.invert(roots.take(values, signed), signed), values)
    assert roots.invert(np.array([-0.5]), np.array([False])).tolist() == [0.0]


def test_the_longer_a_series_is_known_the_longer_it_is_quiet() -> None:
    policy = AlarmPolicy(threshold=5.0, quiet=0, raised=1.0, half_life=100.0, aging=0.5, longest=1_000.0)
    for age, half_life in ((0, 100), (400, 240), (10_000, 1_000)):
        scores = np.zeros(age + 2_000)
        scores[age], scores[age + 1 :] = 5.0, 7.5  # 7.5 is an alarm once the boost has halved
        second = np.flatnonzero(policy.replay(np.zeros(len(scores), np.int64), scores))[1] - age
        assert second == pytest.approx(half_life, rel=0.2)
