"""Numbers as they come: the same however they come, learned from with care, in constant memory."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from feature_repo.errors import InputError
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.many import SeriesScores
from transforms.pure.anomaly.series import CHANNELS, SeriesDetector, SeriesSettings

MINUTE = 60_000_000
SMALL = SeriesSettings(windows=20)


def times(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.int64) * MINUTE


def calm(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 5, count)


def replayed(values: np.ndarray, name: str = "a/x", at: np.ndarray | None = None) -> SeriesScores:
    return SeriesDetector().replay([name] * len(values), times(len(values)) if at is None else at, values)


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
def test_many_at_once_equal_one_by_one_on_every_prefix(told: list[tuple[str, int, float]], cut: int) -> None:
    names = [name for name, _, _ in told]
    at = np.array([minute * MINUTE for _, minute, _ in told], np.int64)
    values = np.array([value for _, _, value in told], np.float64)
    whole = SeriesDetector(SMALL).replay(names, at, values)
    single, parts = SeriesDetector(SMALL), SeriesDetector(SMALL)
    cut = min(cut, len(told))
    pieces = [parts.replay(names[low:high], at[low:high], values[low:high]) for low, high in ((0, cut), (cut, None))]
    for place, name in enumerate(names):
        one = single.update([name], at[place : place + 1], values[place : place + 1])
        np.testing.assert_array_equal(one.score, whole.score[place : place + 1])
        assert one.verdict[0] == whole.verdict[place]
        assert one.alarm[0] == whole.alarm[place]
    np.testing.assert_array_equal(np.concatenate([one.score for one in pieces]), whole.score)


def test_other_series_do_not_matter() -> None:
    alone = replayed(calm(300))
    detector = SeriesDetector()
    for minute in range(300):
        at = np.full(3, minute * MINUTE)
        found = detector.update(["z/1", "a/x", "z/2"], at, np.array([minute % 5, calm(300)[minute], np.nan]))
        assert found.score[1] == alone.score[minute]


@pytest.mark.parametrize(
    ("what", "after"),
    [
        ("step", np.full(60, 160.0)),
        ("fall", np.full(60, 40.0)),
        ("wild", 100 + np.random.default_rng(5).normal(0, 40, 60)),
        ("still", np.full(120, 100.0)),
    ],
)
def test_what_is_unlike_the_past_raises_an_alarm(what: str, after: np.ndarray) -> None:
    found = replayed(np.concatenate([calm(1_500), after]))
    assert found.alarm[1_500:].any(), what
    assert found.alarm[200:1_500].sum() <= 4


def test_a_habit_that_is_broken_raises_an_alarm() -> None:
    minutes = np.arange(10 * 288)
    daily = 100 + 40 * np.sin(minutes / 288 * 2 * np.pi) + np.random.default_rng(0).normal(0, 2, len(minutes))
    broken = daily.copy()
    broken[-200:] = 100 + np.random.default_rng(1).normal(0, 2, 200)  # nothing that never was, at a time when it is not
    at = minutes * 5 * MINUTE
    kept, lost = replayed(daily, at=at), replayed(broken, at=at)
    habit = CHANNELS.index("habit")
    assert lost.channels[-150:-50, habit].mean() > 2 * kept.channels[-150:-50, habit].mean()
    assert lost.channels[-150:-50, CHANNELS.index("level")].mean() < 1


def test_missing_duplicate_and_late_values_teach_nothing() -> None:
    values, at = calm(400), times(400)
    plain = replayed(values)
    dirty_values = np.insert(values, [200, 200, 300, 300], [np.nan, np.inf, 9e9, 9e9])
    dirty_at = np.insert(at, [200, 200, 300, 300], [at[200] - 1, at[200] - 1, at[299], at[250]])
    found = replayed(dirty_values, at=dirty_at)
    odd = np.flatnonzero(found.verdict != "")
    assert [(int(place), str(found.verdict[place])) for place in odd] == [
        (200, "missing"),
        (201, "missing"),
        (302, "duplicate"),
        (303, "late"),
    ]
    assert np.isnan(found.score[odd]).all()
    assert not found.alarm[odd].any()
    np.testing.assert_array_equal(np.delete(found.score, odd), plain.score)


def test_a_clock_that_was_set_back_is_believed_after_a_while() -> None:
    values = calm(300)
    at = np.concatenate([times(200) + 10**12, times(100)])
    found = replayed(values, at=at)
    back = found.verdict[200:]
    assert list(back[: SeriesDetector.BACKWARDS]) == ["late"] * (SeriesDetector.BACKWARDS - 1) + ["clock"]
    assert (back[SeriesDetector.BACKWARDS :] == "").all()


def test_a_gap_is_only_a_gap() -> None:
    at = times(600)
    at[300:] += 14 * 86_400_000_000
    assert replayed(calm(600), at=at).alarm[290:].sum() <= 2


def test_constant_and_all_missing_series_are_calm_until_they_move() -> None:
    assert not replayed(np.full(500, 7.0)).alarm.any()
    moved = replayed(np.concatenate([np.full(500, 7.0), [8.0]]))
    assert moved.alarm[-1]
    nothing = replayed(np.full(500, np.nan))
    assert np.isnan(nothing.score).all()
    assert set(nothing.verdict) == {"missing"}


def test_a_new_series_says_nothing_before_it_knows_something() -> None:
    assert not replayed(np.random.default_rng(0).lognormal(0, 3, 30)).alarm.any()


def test_huge_and_tiny_scales_are_alike() -> None:
    values = calm(500)
    for factor in (1e-9, 1e9):
        np.testing.assert_allclose(replayed(values * factor).score, replayed(values).score, rtol=0.05, atol=0.3)


def test_a_change_of_unit_is_told_and_then_learned_anew() -> None:
    values = np.concatenate([calm(600), 1_000 * calm(1_300, seed=1)])
    found = replayed(values)
    assert found.alarm[600:605].any()
    anew = np.flatnonzero(found.verdict == "relearned")
    assert len(anew) == 1
    assert 600 + SeriesSettings().relearn - 60 < anew[0] < 600 + SeriesSettings().relearn + 60
    assert found.alarm[anew[0] + 1 :].sum() <= 1


def test_nothing_is_learned_in_full_from_an_incident() -> None:
    """A second incident like the first is as loud: the first has not become normal."""
    incident = np.full(30, 300.0)
    values = np.concatenate([calm(1_500), incident, calm(700, 1), incident, calm(100, 2)])
    found = replayed(values)
    first, second = found.score[1_500:1_530], found.score[2_230:2_260]
    assert second.max() > 0.5 * first.max()
    assert found.alarm[2_230:2_260].any()
    level = CHANNELS.index("level")
    assert found.channels[1_529, level] > 1.5  # still far at the end of the first


def test_absurd_values_do_not_make_a_series_blind() -> None:
    detector = SeriesDetector()
    detector.replay(["a/x"] * 600, times(600), calm(600))
    before = detector._state["error_var"][0]
    detector.replay(["a/x"] * 200, times(800)[600:], np.tile([1e6, -1e6], 100))
    assert detector._state["error_var"][0] < 1.1 * before


def test_standing_still_becomes_rarer_the_longer_it_lasts() -> None:
    values = np.concatenate([calm(600), np.full(150, 100.0)])
    still = replayed(values).channels[:, CHANNELS.index("still")]
    assert 6 < still[620] < still[660] < still[740]


def test_memory_is_constant_and_stated() -> None:
    detector = SeriesDetector()
    detector.replay(["a/x"] * 100, times(100), calm(100))
    before = {name: array.nbytes for name, array in detector._state.items()}
    detector.replay(["a/x"] * 5_000, times(5_000) + 10**10, calm(5_000))
    assert {name: array.nbytes for name, array in detector._state.items()} == before
    assert sum(before.values()) == 16 * detector.bytes_per_series


def test_the_series_that_was_silent_for_longest_makes_room() -> None:
    detector = SeriesDetector(SMALL, most=3)
    for minute, names in enumerate((["a", "b", "c"], ["a", "c"], ["a", "c"], ["d", "c"], ["e", "d"])):
        found = detector.update(names, np.full(len(names), minute * MINUTE), np.arange(len(names), dtype=float))
        assert (found.verdict == "").all()
        assert len(detector) <= 3
    assert sorted(detector.series) == ["c", "d", "e"]
    assert detector._state["count"][[detector._row_of[name] for name in "cde"]].tolist() == [4, 2, 1]
    again = SeriesDetector.restore(detector.snapshot())
    for one in (detector, again):
        one.update(["f"], np.array([9 * MINUTE]), np.array([1.0]))
    assert sorted(detector.series) == sorted(again.series) == ["d", "e", "f"]
    with pytest.raises(InputError, match="at most 3"):
        detector.replay(["a", "b", "c", "d"], times(4), calm(4))


def test_a_snapshot_goes_on_where_it_was() -> None:
    values = np.concatenate([calm(400), np.full(20, 200.0)])
    whole = replayed(values)
    first = SeriesDetector(thresholds={"x": 6.0})
    first.replay(["a/x"] * 405, times(405), values[:405])
    second = SeriesDetector.restore(first.snapshot())
    assert second.series == ["a/x"]
    rest = second.replay(["a/x"] * 15, times(420)[405:], values[405:])
    np.testing.assert_array_equal(rest.score, whole.score[405:])
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
    values = np.concatenate([calm(1_000), [150.0]])
    loud = SeriesDetector(policy=AlarmPolicy(threshold=6.0), thresholds={"deaf": 1e9})
    at = times(1_001)
    assert loud.replay(["a/x"] * 1_001, at, values).alarm[-1]
    assert not loud.replay(["a/deaf"] * 1_001, at, values).alarm.any()


def test_inputs_are_not_changed() -> None:
    values, at = calm(50), times(50)
    copies = values.copy(), at.copy()
    SeriesDetector().replay(["a"] * 50, at, values)
    np.testing.assert_array_equal(values, copies[0])
    np.testing.assert_array_equal(at, copies[1])
