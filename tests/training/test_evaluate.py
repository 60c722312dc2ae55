"""Ranking metrics against their definitions, and splits that do not leak."""

import math
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from feature_repo.errors import InputError
from training.datasets import TimeSplit
from training.evaluate import ndcg, rank_all, ranking_metrics, recall

tracks = st.lists(st.integers(0, 30), min_size=1, max_size=25, unique=True)


@given(tracks, tracks)
def test_ndcg_and_recall_are_their_definitions(ranked: list[int], relevant: list[int]) -> None:
    gain = sum(1 / math.log2(place + 2) for place, track in enumerate(ranked[:10]) if track in relevant)
    best = sum(1 / math.log2(place + 2) for place in range(min(len(relevant), 10)))
    assert ndcg(np.array(ranked), np.array(relevant)) == pytest.approx(gain / best)
    hits = len(set(ranked[:20]) & set(relevant))
    assert recall(np.array(ranked), np.array(relevant)) == pytest.approx(hits / len(relevant))


def test_a_perfect_list_scores_one_and_a_useless_one_zero() -> None:
    assert ndcg(np.arange(10), np.arange(3)) == 1
    assert ndcg(np.arange(10), np.array([77])) == 0


def test_heard_tracks_are_never_ranked() -> None:
    scores = np.array([5.0, 4.0, 3.0, 2.0])
    np.testing.assert_array_equal(rank_all(scores, np.array([0, 2]), 10), [1, 3])
    np.testing.assert_array_equal(rank_all(np.zeros(4), np.array([], int), 2), [0, 1])


def test_coverage_counts_the_catalogue() -> None:
    found = ranking_metrics({1: np.arange(10), 2: np.arange(5, 15)}, {1: np.array([0]), 2: np.array([99])}, 60)
    assert found.coverage_at_10 == 15 / 60
    assert found.users == 2
    assert found.ndcg_at_10 == 0.5


@given(st.lists(st.integers(0, 10_000), min_size=100, max_size=300, unique=True), st.integers(1, 8))
def test_a_split_is_in_order_of_time(times: list[int], folds: int) -> None:
    moments = np.array(times)
    split = TimeSplit.by_share(moments)
    assert moments.min() < split.validation < split.test < split.end
    assert (moments < split.end).all()
    assert (moments >= split.test).sum() == pytest.approx(len(times) * 0.1, abs=1)
    periods = split.folds(moments, folds)
    assert all(first < last for first, last in periods)
    assert all(before[1] == after[0] for before, after in pairwise(periods))
    assert periods[-1][1] == split.validation


@pytest.mark.parametrize("times", [np.arange(50), np.full(500, 7)])
def test_too_little_to_split_is_told(times: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected .* next: "):
        TimeSplit.by_share(times)
