"""Candidates: each source against a naive computation, and no unwanted tracks in the pool."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from transforms.pure.candidates.blend import blended, standardised
from transforms.pure.candidates.cold import PRIOR_PLAYS, SegmentPopularity, profile_of, segments, thompson
from transforms.pure.candidates.neighbours import Neighbours, fading, largest
from transforms.pure.candidates.pool import LIMITS, SOURCES, pool


@given(st.integers(1, 12), st.integers(1, 8), st.integers(0, 2**32))
def test_the_largest_weights_are_kept(tracks: int, k: int, seed: int) -> None:
    table = np.random.default_rng(seed).normal(size=(tracks, tracks)).astype(np.float32)
    neighbours = largest([table[:2], table[2:]] if tracks > 2 else [table], k)
    for row, weights in enumerate(table):
        expected = sorted((-weight, track) for track, weight in enumerate(weights.tolist()) if weight > 0)[:k]
        is_kept = neighbours.places[row] >= 0
        assert [
            (-kept_weight, kept_track)
            for kept_weight, kept_track in zip(
                neighbours.weights[row][is_kept], neighbours.places[row][is_kept], strict=True
            )
        ] == expected
        assert (neighbours.weights[row][~is_kept] == 0).all()


@given(st.integers(0, 2**32))
def test_asking_adds_up_what_goes_with_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = rng.random((9, 9)) * (rng.random((9, 9)) < 0.4)
    tracks, amounts = rng.integers(9, size=5), rng.random(5)
    expected = sum(amount * table[track] for track, amount in zip(tracks, amounts, strict=True))
    places, scores = Neighbours.from_bytes(largest([table], 9).to_bytes()).scores(tracks, amounts)
    assert (np.diff(places) > 0).all()
    np.testing.assert_allclose(scores, expected[places], rtol=1e-5)
    assert set(np.flatnonzero(expected)) == set(places.tolist())


def test_nobody_asks_and_nothing_is_found() -> None:
    neighbours = largest([np.ones((3, 3))], 2)
    places, scores = neighbours.scores(np.empty(0, np.int64), np.empty(0))
    assert (len(places), len(scores)) == (0, 0)
    np.testing.assert_array_equal(fading(3, 0.5), [1, 0.5, 0.25])


orders = st.lists(st.integers(0, 40), max_size=40, unique=True)


@given(st.dictionaries(st.sampled_from(SOURCES), orders), orders, st.integers(0, 30))
def test_a_pool_has_each_track_once_and_nothing_unwanted(
    candidates: dict[str, list[int]], unwanted: list[int], at_least: int
) -> None:
    merged = pool(
        {name: np.array(rows, np.int64) for name, rows in candidates.items()},
        np.array(unwanted, np.int64),
        at_least=at_least,
    )
    assert len(set(merged.places.tolist())) == len(merged)
    assert not set(merged.places.tolist()) & set(unwanted)
    allowed = {
        name: [row for row in rows if row not in unwanted][: max(LIMITS[name], at_least)]
        for name, rows in candidates.items()
    }
    assert set(merged.places.tolist()) == {row for rows in allowed.values() for row in rows}
    for place, source in zip(merged.places.tolist(), merged.source.tolist(), strict=True):
        assert source == min(SOURCES.index(name) for name, rows in allowed.items() if place in rows)


def test_scores_go_with_their_tracks() -> None:
    similar = (np.array([2, 5, 9]), np.array([0.3, 0.9, 0.1]))
    merged = pool({"popular": np.array([7, 9])}, np.array([5]), similar=similar)
    assert merged.places.tolist() == [2, 7, 9]
    assert merged.similar.tolist() == [0.3, 0, 0.1]
    assert merged.follows.tolist() == [0, 0, 0]
    assert [SOURCES[number] for number in merged.source] == ["similar", "popular", "similar"]
    assert merged.keep(np.array([True, False, True])).places.tolist() == [2, 9]


def test_a_segment_is_drawn_to_all_where_few_are_in_it() -> None:
    overall_plays = np.array([900.0, 100, 0])
    plays = {"SE": (np.array([1, 2]), np.array([300, 100])), "few": (np.array([2]), np.array([1]))}
    table = SegmentPopularity.from_bytes(SegmentPopularity.of(plays, overall_plays).to_bytes())
    np.testing.assert_allclose(table.shares(()), [0.9, 0.1, 0])
    expected = (np.array([0, 300, 100]) + PRIOR_PLAYS * np.array([0.9, 0.1, 0])) / (400 + PRIOR_PLAYS)
    np.testing.assert_allclose(table.shares(("nobody knows", "SE")), expected)
    assert np.abs(table.shares(("few",)) - table.shares(())).max() < 0.01
    np.testing.assert_allclose(table.shares(("SE", "few")).sum(), 1)


def test_segments_are_the_widest_first() -> None:
    assert segments("SE", 1994.0) == ("1990s", "SE", "SE 1990s")
    assert segments(None, float("nan")) == segments(None, None) == ()
    assert segments("SE", None) == ("SE",)


def test_thompson_draws_as_often_as_it_says() -> None:
    liked, disliked = np.array([30.0, 5.0, 0.0]), np.array([30.0, 5.0, 0.0])
    rng = np.random.default_rng(0)
    choices = [thompson(liked, disliked, rng) for _ in range(2_000)]
    draw_rates = np.bincount([choice.place for choice in choices], minlength=3) / 2_000
    for place in range(3):
        mean_propensity = np.mean([choice.propensity for choice in choices if choice.place == place])
        assert mean_propensity == pytest.approx(draw_rates[place], abs=0.03)
    assert draw_rates[2] > draw_rates[1] > draw_rates[0]  # the least explored candidate is drawn most often
    assert thompson(np.array([3.0]), np.array([0.0]), rng).propensity == 1


def test_a_blend_standardises_and_takes_the_missing_for_the_least() -> None:
    assert standardised(np.array([1.0, 1.0])).tolist() == [0, 0]
    assert standardised(np.array([np.nan, np.nan])).tolist() == [0, 0]
    missing = standardised(np.array([np.nan, 2.0, 4.0]))
    np.testing.assert_allclose(missing, standardised(np.array([2.0, 2.0, 4.0])))
    blend = blended({"a": np.array([0.0, 1.0]), "b": np.array([9.0, 3.0])}, {"a": 1.0, "b": 3.0, "c": 5.0})
    np.testing.assert_allclose(blend, [-1 + 3, 1 - 3])
    assert blended({"a": np.empty(0)}, {"a": 1.0}).shape == (0,)


def test_a_profile_has_length_one_or_is_none() -> None:
    profile = profile_of(np.array([[1.0, 0], [0, 1]]), np.array([2.0, 1.0]))
    assert profile is not None
    np.testing.assert_allclose(profile, np.array([2, 1]) / np.sqrt(5), rtol=1e-6)
    assert profile_of(np.zeros((2, 2)), np.ones(2)) is None
