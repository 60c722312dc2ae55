"""The parts of the anomaly scores, each against a simple computation of the same value."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from transforms.pure.anomaly import moments, novelty, profile, regression, tail
from transforms.pure.anomaly.alarms import SILENT, AlarmPolicy
from transforms.pure.anomaly.calibration import Calibration, both, either, fisher
from transforms.pure.anomaly.incidents import MINUTE, Alarm, IncidentLog, merge


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.02, 200), min_size=40, max_size=300), st.floats(0.02, 200))
def test_a_tail_is_the_share_that_is_as_large(observed: list[float], value: float) -> None:
    counts = np.zeros((1, 1, tail.BINS))
    for observation in observed:
        tail.add(counts, np.array([[observation]]), 1.0, np.array([[True]]))
    share = float(tail.exceedance(counts, np.array([[value]]))[0, 0])
    # bins are a seventh of an octave wide: the true share lies between those one bin below and one bin above
    sorted_values, width = np.array(observed), 2 ** (14 / (tail.BINS - 1))
    low, high = (sorted_values >= value * width**2).mean(), (sorted_values >= value / width**2).mean()
    if high > 2 * max(tail.TAIL, 4 / len(observed)):
        assert low - 1e-6 <= share <= high + 1e-6
    else:
        assert 0 < share <= max(high, 2 * max(tail.TAIL, 4 / len(observed))) + 1e-6


def test_a_tail_goes_on_beyond_what_was_seen() -> None:
    counts = np.zeros((1, 1, tail.BINS))
    for observation in np.abs(np.random.default_rng(0).normal(size=2_000)):
        tail.add(counts, np.array([[observation]]), 1.0, np.array([[True]]))
    shares = [float(tail.exceedance(counts, np.array([[value]]))[0, 0]) for value in (1, 2, 4, 8, 16, 64)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(0.317, abs=0.03)
    assert shares[-1] < 1e-5


def test_old_values_fade() -> None:
    counts = np.zeros((1, 1, tail.BINS))
    for value, decay in ((1.0, 1.0), (1.0, 1.0), (8.0, 0.5)):
        tail.add(counts, np.array([[value]]), decay, np.array([[True]]))
    assert counts[0, 0, 0] == pytest.approx(2 * 0.5 + 1)
    tail.add(counts, np.array([[1.0]]), 0.5, np.array([[False]]))
    assert counts[0, 0, 0] == pytest.approx(2)


def test_moments_without_fading_are_the_plain_ones() -> None:
    values = np.random.default_rng(0).normal(5, 2, 200)
    mean, variance, weight = np.zeros(1), np.zeros(1), np.zeros(1)
    for value in values:
        mean, variance, weight = moments.update(mean, variance, weight, np.array([value]), 1.0)
    assert mean[0] == pytest.approx(values.mean())
    assert variance[0] == pytest.approx(values.var())


def test_recursive_least_squares_find_what_least_squares_find() -> None:
    rng = np.random.default_rng(0)
    inputs = np.column_stack([np.ones(400), rng.normal(size=(400, 3))])
    true_weights = np.array([0.5, 1.0, -2.0, 0.25])
    target = inputs @ true_weights + rng.normal(0, 0.1, 400)
    weights, inverse = regression.start(1, 4)
    inverse *= 1e2  # almost no regularization towards the initial weights
    for row, value in zip(inputs, target, strict=True):
        error = value - regression.predict(weights, row[None])
        weights, inverse = regression.learn(weights, inverse, row[None], error, 1.0)
    expected = np.linalg.lstsq(inputs, target, rcond=None)[0]
    np.testing.assert_allclose(weights[0], expected, atol=5e-3)


def test_a_profile_knows_the_mean_of_each_part_of_the_day() -> None:
    means, counts = np.zeros((1, profile.PARTS)), np.zeros((1, profile.PARTS), np.float32)
    half_hour = 1_800_000_000
    for day in range(4):
        for part in range(profile.PARTS):
            time = np.array([day * 86_400_000_000 + part * half_hour])
            assert profile.part_of(time)[0] == part
            profile.learn(means, counts, profile.part_of(time), np.array([part + day * 10.0]))
    usual, is_known = profile.usual(means, counts, np.array([7]))
    assert is_known[0]
    assert usual[0] == pytest.approx(7 + 15)


def test_novelty_is_the_distance_to_the_nearest_windows() -> None:
    rng = np.random.default_rng(0)
    windows, window_counts = np.zeros((1, 4, 30)), np.zeros(1, np.int64)
    rows = rng.normal(size=(25 * novelty.EVERY, 4))
    for count, training_row in enumerate(rows):
        novelty.remember(windows, window_counts, training_row[None], np.array([count]), np.array([True]))
    assert window_counts[0] == 25
    row = rng.normal(size=(1, 4))
    distance, is_known = novelty.distance(windows, window_counts, row)
    expected = np.sort(np.abs(rows[:: novelty.EVERY] - row).mean(axis=1))[: novelty.NEAREST].mean()
    assert is_known[0]
    assert distance[0] == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.one_of(st.floats(0, 12), st.just(float("nan")))), max_size=150),
    st.integers(0, 6),
    st.floats(0, 1),
    st.sampled_from([0.0, 0.5, 3.0]),
)
def test_alarms_one_by_one_all_at_once_and_replayed_are_the_same(
    events: list[tuple[int, float]], quiet: int, raised: float, aging: float
) -> None:
    policy = AlarmPolicy(threshold=4.0, quiet=quiet, raised=raised, half_life=20.0, aging=aging, longest=60.0)
    entities = np.array([entity for entity, _ in events], np.int64)
    scores = np.array([score for _, score in events], np.float64)
    replayed_alarms = policy.replay(entities, scores)
    states = [SILENT] * 3
    boost, quiet_since, age = np.zeros(3), np.full(3, SILENT[1]), np.zeros(3, int)
    for position, (entity, score) in enumerate(events):
        alarm, states[entity] = policy.one(score, states[entity])
        row = [entity]
        alarms, boost[row], quiet_since[row] = policy.decide(np.array([score]), boost[row], quiet_since[row], age[row])
        age[row] += 1
        assert alarm == alarms[0] == replayed_alarms[position]


def test_after_an_alarm_only_something_worse_speaks() -> None:
    policy = AlarmPolicy(threshold=4.0, quiet=2, raised=1.0, half_life=10.0)
    scores = np.array([5.0, 9.9, 9.9, 5.0, 9.9, *[0.0] * 100, 5.0])
    assert np.flatnonzero(policy.replay(np.zeros(len(scores), int), scores)).tolist() == [0, 4, 105]


def test_calibrated_scores_are_uniform_on_normal_ones() -> None:
    rng = np.random.default_rng(0)
    calibration = Calibration.fit(rng.exponential(1.0, 20_000))
    p_value = calibration.p_value(rng.exponential(1.0, 50_000))
    for level in (0.5, 0.1, 0.05, 0.01, 0.001):
        assert (p_value <= level).mean() == pytest.approx(level, rel=0.15)
        assert calibration.p_value(np.array([calibration.score_at(level)]))[0] == pytest.approx(level, rel=0.06)
    assert np.isnan(calibration.p_value(np.array([np.nan]))[0])
    assert calibration.p_value(np.array([-5.0, 1e9])).tolist() == [1.0, pytest.approx(1e-30, abs=1e-6)]
    restored = Calibration.from_json(calibration.as_json())
    np.testing.assert_array_equal(restored.p_value(p_value * 9), calibration.p_value(p_value * 9))


def test_joined_p_values_keep_their_promise() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random(100_000), rng.random(100_000)
    for level in (0.1, 0.01):
        assert (both(first, second) <= level).mean() == pytest.approx(level, rel=0.1)
        assert (either(first, second) <= level).mean() <= 1.05 * level
    assert either(np.array([0.2, np.nan, np.nan]), np.array([np.nan, 0.3, np.nan]))[:2].tolist() == [0.2, 0.3]
    fisher_statistic = -np.log10(rng.random((100_000, 5))).sum(axis=1)
    assert (fisher(fisher_statistic, 5) <= 0.05).mean() == pytest.approx(0.05, rel=0.05)


def test_near_alarms_are_one_incident_and_keep_the_worst() -> None:
    alarms = [
        Alarm("b", 5 * MINUTE, 9.0, 1e-9, {"disk": 1.0}),
        Alarm("a", 0, 5.0, 1e-5, {"cpu": 0.7, "memory": 0.3}),
        Alarm("a", 20 * MINUTE, 7.0, 1e-7, {"cpu": 0.2, "memory": 0.8}),
        Alarm("a", 90 * MINUTE, 5.0, 1e-5, {"cpu": 1.0}),
    ]
    incidents = merge(alarms)
    assert [
        (incident.entity, incident.start // MINUTE, incident.end // MINUTE, incident.alarms) for incident in incidents
    ] == [
        ("a", 0, 20, 2),
        ("b", 5, 5, 1),
        ("a", 90, 90, 1),
    ]
    assert incidents[0].causes == {"memory": 0.8, "cpu": 0.7}
    assert list(incidents[0].causes) == ["memory", "cpu"]
    assert (incidents[0].worst, incidents[0].p_value) == (7.0, 1e-7)
    log = IncidentLog()
    assert [log.take(alarm)[1] for alarm in sorted(alarms, key=lambda alarm: alarm.at)] == [True, True, False, True]
