"""Streaming detection on series: independent of batching, robust to bad values, in constant memory."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from feature_repo.errors import InputError
from tests.transforms.pure.anomaly.replays import replay_each
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.many import SeriesScores
from transforms.pure.anomaly.series import CHANNELS, SeriesDetector, SeriesSettings

MINUTE = 60_000_000
SMALL = SeriesSettings(windows=20)


def times(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int64) * MINUTE


def normal_values(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 5, count)


def replay(values: np.ndarray, name: str = "a/x", timestamps: np.ndarray | None = None) -> SeriesScores:
    return SeriesDetector().replay(
        [name] * len(values), times(len(values)) if timestamps is None else timestamps, values
    )


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a/x", "a/y", "b/x"]),
            st.integers(0, 40),
            st.one_of(st.floats(-1e6, 1e6), st.sampled_from([float("nan"), float("inf"), 0.0, 1e300, -1e300])),
        ),
        max_size=120,
    ),
    st.integers(1, 50),
)
def test_many_at_once_equal_one_by_one_on_every_prefix(points: list[tuple[str, int, float]], split: int) -> None:
    names = [name for name, _, _ in points]
    timestamps = np.array([minute * MINUTE for _, minute, _ in points], np.int64)
    values = np.array([value for _, _, value in points], np.float64)
    all_scores = SeriesDetector(SMALL).replay(names, timestamps, values)
    single_detector, batch_detector = SeriesDetector(SMALL), SeriesDetector(SMALL)
    split = min(split, len(points))
    batches = [
        batch_detector.replay(names[low:high], timestamps[low:high], values[low:high])
        for low, high in ((0, split), (split, None))
    ]
    for position, name in enumerate(names):
        scores = single_detector.update([name], timestamps[position : position + 1], values[position : position + 1])
        np.testing.assert_array_equal(scores.score, all_scores.score[position : position + 1])
        assert scores.verdict[0] == all_scores.verdict[position]
        assert scores.alarm[0] == all_scores.alarm[position]
    np.testing.assert_array_equal(np.concatenate([scores.score for scores in batches]), all_scores.score)


def test_other_series_do_not_matter() -> None:
    single_scores = replay(normal_values(300))
    detector = SeriesDetector()
    for minute in range(300):
        timestamps = np.full(3, minute * MINUTE)
        scores = detector.update(
            ["z/1", "a/x", "z/2"], timestamps, np.array([minute % 5, normal_values(300)[minute], np.nan])
        )
        assert scores.score[1] == single_scores.score[minute]


UNLIKE = {
    "step": np.full(120, 160.0),
    "fall": np.full(120, 40.0),
    "wild": 100 + np.random.default_rng(5).normal(0, 40, 120),
    "still": np.full(120, 100.0),
}


@pytest.fixture(scope="module")
def unlike_scores() -> dict[str, SeriesScores]:
    """Scores of normal values and of what follows, for each kind of it."""
    series = [np.concatenate([normal_values(1_500), after]) for after in UNLIKE.values()]
    return dict(zip(UNLIKE, replay_each(times(1_620), *series), strict=True))


@pytest.mark.parametrize("what", UNLIKE)
def test_what_is_unlike_the_past_raises_an_alarm(what: str, unlike_scores: dict[str, SeriesScores]) -> None:
    scores = unlike_scores[what]
    assert scores.alarm[1_500 : 1_620 if what == "still" else 1_560].any(), what
    assert scores.alarm[200:1_500].sum() <= 4


def test_a_habit_that_is_broken_raises_an_alarm() -> None:
    minutes = np.arange(10 * 288)
    daily = 100 + 40 * np.sin(minutes / 288 * 2 * np.pi) + np.random.default_rng(0).normal(0, 2, len(minutes))
    broken = daily.copy()
    broken[-200:] = 100 + np.random.default_rng(1).normal(0, 2, 200)  # usual values, at an unusual time of day
    timestamps = minutes * 5 * MINUTE
    unchanged_scores, broken_scores = replay_each(timestamps, daily, broken)
    habit = CHANNELS.index("habit")
    assert broken_scores.channels[-150:-50, habit].mean() > 2 * unchanged_scores.channels[-150:-50, habit].mean()
    assert broken_scores.channels[-150:-50, CHANNELS.index("level")].mean() < 1


def test_missing_duplicate_and_late_values_teach_nothing() -> None:
    values, timestamps = normal_values(400), times(400)
    clean_scores = replay(values)
    dirty_values = np.insert(values, [200, 200, 300, 300], [np.nan, np.inf, 9e9, 9e9])
    dirty_timestamps = np.insert(
        timestamps, [200, 200, 300, 300], [timestamps[200] - 1, timestamps[200] - 1, timestamps[299], timestamps[250]]
    )
    scores = replay(dirty_values, timestamps=dirty_timestamps)
    rejected = np.flatnonzero(scores.verdict != "")
    assert [(int(position), str(scores.verdict[position])) for position in rejected] == [
        (200, "missing"),
        (201, "missing"),
        (302, "duplicate"),
        (303, "late"),
    ]
    assert np.isnan(scores.score[rejected]).all()
    assert not scores.alarm[rejected].any()
    np.testing.assert_array_equal(np.delete(scores.score, rejected), clean_scores.score)


def test_a_clock_that_was_set_back_is_believed_after_a_while() -> None:
    values = normal_values(300)
    timestamps = np.concatenate([times(200) + 10**12, times(100)])
    scores = replay(values, timestamps=timestamps)
    verdicts = scores.verdict[200:]
    assert list(verdicts[: SeriesDetector.BACKWARDS]) == ["late"] * (SeriesDetector.BACKWARDS - 1) + ["clock"]
    assert (verdicts[SeriesDetector.BACKWARDS :] == "").all()


def test_a_gap_is_only_a_gap() -> None:
    timestamps = times(600)
    timestamps[300:] += 14 * 86_400_000_000
    assert replay(normal_values(600), timestamps=timestamps).alarm[290:].sum() <= 2


def test_constant_and_all_missing_series_are_calm_until_they_move() -> None:
    assert not replay(np.full(500, 7.0)).alarm.any()
    changed = replay(np.concatenate([np.full(500, 7.0), [8.0]]))
    assert changed.alarm[-1]
    missing = replay(np.full(500, np.nan))
    assert np.isnan(missing.score).all()
    assert set(missing.verdict) == {"missing"}


def test_a_new_series_says_nothing_before_it_knows_something() -> None:
    assert not replay(np.random.default_rng(0).lognormal(0, 3, 30)).alarm.any()


def test_huge_and_tiny_scales_are_alike() -> None:
    values = normal_values(500)
    for factor in (1e-9, 1e9):
        np.testing.assert_allclose(replay(values * factor).score, replay(values).score, rtol=0.05, atol=0.3)


def test_a_change_of_unit_is_told_and_then_learned_anew() -> None:
    values = np.concatenate([normal_values(600), 1_000 * normal_values(1_300, seed=1)])
    scores = replay(values)
    assert scores.alarm[600:605].any()
    relearned = np.flatnonzero(scores.verdict == "relearned")
    assert len(relearned) == 1
    assert 600 + SeriesSettings().relearn - 60 < relearned[0] < 600 + SeriesSettings().relearn + 60
    assert scores.alarm[relearned[0] + 1 :].sum() <= 1


def test_nothing_is_learned_in_full_from_an_incident() -> None:
    """A second incident scores about as high as the first: the first was not learned as normal."""
    incident = np.full(30, 300.0)
    values = np.concatenate([normal_values(1_500), incident, normal_values(700, 1), incident, normal_values(100, 2)])
    scores = replay(values)
    first, second = scores.score[1_500:1_530], scores.score[2_230:2_260]
    assert second.max() > 0.5 * first.max()
    assert scores.alarm[2_230:2_260].any()
    level = CHANNELS.index("level")
    assert scores.channels[1_529, level] > 1.5  # still abnormal at the end of the first incident


def test_absurd_values_do_not_make_a_series_blind() -> None:
    detector = SeriesDetector()
    detector.replay(["a/x"] * 600, times(600), normal_values(600))
    variance_before = detector._state["error_var"][0]
    detector.replay(["a/x"] * 200, times(800)[600:], np.tile([1e6, -1e6], 100))
    assert detector._state["error_var"][0] < 1.1 * variance_before


def test_standing_still_becomes_rarer_the_longer_it_lasts() -> None:
    values = np.concatenate([normal_values(600), np.full(150, 100.0)])
    still = replay(values).channels[:, CHANNELS.index("still")]
    assert 6 < still[620] < still[660] < still[740]


def test_memory_is_constant_and_stated() -> None:
    detector = SeriesDetector()
    detector.replay(["a/x"] * 100, times(100), normal_values(100))
    sizes_before = {name: array.nbytes for name, array in detector._state.items()}
    detector.replay(["a/x"] * 2_000, times(2_000) + 10**10, normal_values(2_000))
    assert {name: array.nbytes for name, array in detector._state.items()} == sizes_before
    assert sum(sizes_before.values()) == 16 * detector.bytes_per_series


def test_the_series_that_was_silent_for_longest_makes_room() -> None:
    detector = SeriesDetector(SMALL, most=3)
    for minute, names in enumerate((["a", "b", "c"], ["a", "c"], ["a", "c"], ["d", "c"], ["e", "d"])):
        scores = detector.update(names, np.full(len(names), minute * MINUTE), np.arange(len(names), dtype=float))
        assert (scores.verdict == "").all()
        assert len(detector) <= 3
    assert sorted(detector.series) == ["c", "d", "e"]
    assert detector._state["count"][[detector._row_of[name] for name in "cde"]].tolist() == [4, 2, 1]
    restored = SeriesDetector.restore(detector.snapshot())
    for copy in (detector, restored):
        copy.update(["f"], np.array([9 * MINUTE]), np.array([1.0]))
    assert sorted(detector.series) == sorted(restored.series) == ["d", "e", "f"]
    with pytest.raises(InputError, match="at most 3"):
        detector.replay(["a", "b", "c", "d"], times(4), normal_values(4))


def test_a_snapshot_goes_on_where_it_was() -> None:
    values = np.concatenate([normal_values(400), np.full(20, 200.0)])
    all_scores = replay(values)
    first = SeriesDetector(thresholds={"x": 6.0})
    first.replay(["a/x"] * 405, times(405), values[:405])
    second = SeriesDetector.restore(first.snapshot())
    assert second.series == ["a/x"]
    later_scores = second.replay(["a/x"] * 15, times(420)[405:], values[405:])
    np.testing.assert_array_equal(later_scores.score, all_scores.score[405:])
    second.update(["b/x"], np.array([0]), np.array([1.0]))
    assert second._state["threshold"][:2].tolist() == [6.0, 6.0]


@pytest.mark.parametrize("content", [b"", b"nothing", SeriesDetector().snapshot()[:-40]])
def test_a_damaged_snapshot_is_an_error(content: bytes) -> None:
    with pytest.raises(InputError, match="snapshot"):
        SeriesDetector.restore(content)


def test_a_series_twice_in_one_tick_is_an_error() -> None:
    with pytest.raises(InputError, match="once"):
        SeriesDetector().update(["a", "a"], np.array([0, 1]), np.array([1.0, 2.0]))


def test_thresholds_are_by_metric() -> None:
    values = np.concatenate([normal_values(1_000), [150.0]])
    sensitive = SeriesDetector(policy=AlarmPolicy(threshold=6.0), thresholds={"deaf": 1e9})
    timestamps = times(1_001)
    assert sensitive.replay(["a/x"] * 1_001, timestamps, values).alarm[-1]
    assert not sensitive.replay(["a/deaf"] * 1_001, timestamps, values).alarm.any()


def test_inputs_are_not_changed() -> None:
    values, timestamps = normal_values(50), times(50)
    copies = values.copy(), timestamps.copy()
    SeriesDetector().replay(["a"] * 50, timestamps, values)
    np.testing.assert_array_equal(values, copies[0])
    np.testing.assert_array_equal(timestamps, copies[1])
