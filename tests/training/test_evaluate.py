"""Ranking metrics match their definitions, and time splits do not leak."""

import math
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from feature_repo.errors import InputError
from training.datasets import TimeSplit
from training.evaluate import Catalogue, by_segment, ndcg, rank_all, ranking_metrics, recall
from training.evaluate.ranking import average_precision, reciprocal_rank

tracks = st.lists(st.integers(0, 30), min_size=1, max_size=25, unique=True)


@given(tracks, tracks)
def test_ndcg_and_recall_are_their_definitions(ranked: list[int], relevant: list[int]) -> None:
    gain = sum(1 / math.log2(rank + 2) for rank, track in enumerate(ranked[:10]) if track in relevant)
    best = sum(1 / math.log2(rank + 2) for rank in range(min(len(relevant), 10)))
    assert ndcg(np.array(ranked), np.array(relevant)) == pytest.approx(gain / best)
    hits = len(set(ranked[:20]) & set(relevant))
    assert recall(np.array(ranked), np.array(relevant)) == pytest.approx(hits / len(relevant))


@given(tracks, tracks)
def test_reciprocal_rank_and_average_precision_are_their_definitions(ranked: list[int], relevant: list[int]) -> None:
    hit_ranks = [rank for rank, track in enumerate(ranked[:10], start=1) if track in relevant]
    assert reciprocal_rank(np.array(ranked), np.array(relevant)) == pytest.approx(1 / hit_ranks[0] if hit_ranks else 0)
    precision = [sum(other_rank <= rank for other_rank in hit_ranks) / rank for rank in hit_ranks]
    expected = sum(precision) / min(len(relevant), 10)
    assert average_precision(np.array(ranked), np.array(relevant)) == pytest.approx(expected)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.integers(1, 12))
def test_the_first_are_those_of_a_full_sort(values: list[int], depth: int) -> None:
    scores = np.array(values, float)
    seen = np.arange(0, len(values), 5)
    order = sorted((row for row in range(len(values)) if row not in seen), key=lambda row: (-values[row], row))
    assert rank_all(scores, seen, depth).tolist() == order[:depth]


def test_novelty_diversity_and_popularity_lift_are_their_definitions() -> None:
    ranked, relevant = {1: np.array([0, 1]), 2: np.array([2])}, {1: np.array([0]), 2: np.array([1])}
    catalogue = Catalogue(
        3, np.array([7.0, 1, 3]), 7, np.array([[1.0, 0], [1, 1], [0, 1]]), {1: np.array([2]), 2: np.array([1])}
    )
    metrics = ranking_metrics(ranked, relevant, catalogue)
    bits = -np.log2(np.array([8, 2, 4]) / 8)
    assert metrics.novelty_at_10 == pytest.approx((bits[:2].mean() + bits[2]) / 2)
    assert metrics.diversity_at_10 == pytest.approx(1 - 1 / np.sqrt(2))
    assert metrics.popularity_lift == pytest.approx(((7 + 1) / 2 + 3) / 2 / ((3 + 1) / 2) - 1)
    assert math.isnan(ranking_metrics(ranked, relevant, 3).novelty_at_10)


def test_segments_are_measured_by_themselves() -> None:
    history = {1: np.arange(5), 2: np.arange(50), 3: np.arange(200), 4: np.empty(0, int)}
    ranked = {user: np.array([300, 301]) for user in history}
    relevant = {1: np.array([300]), 2: np.array([301]), 3: np.array([999]), 4: np.array([300, 301])}
    listeners = np.zeros(1_000)
    listeners[300] = 9
    segments = by_segment(ranked, relevant, history, listeners, head=0.001)
    assert {name: metrics.users for name, metrics in segments.items()} == {
        "new": 1,
        "light": 1,
        "medium": 1,
        "heavy": 1,
        "head": 2,
        "tail": 3,
    }
    assert (segments["light"].ndcg_at_10, segments["heavy"].ndcg_at_10, segments["new"].ndcg_at_10) == (1, 0, 1)
    assert segments["head"].recall_at_10 == 1
    assert segments["tail"].recall_at_10 == pytest.approx(2 / 3)


def test_a_perfect_list_scores_one_and_a_useless_one_zero() -> None:
    assert ndcg(np.arange(10), np.arange(3)) == 1
    assert ndcg(np.arange(10), np.array([77])) == 0


def test_heard_tracks_are_never_ranked() -> None:
    scores = np.array([5.0, 4.0, 3.0, 2.0])
    np.testing.assert_array_equal(rank_all(scores, np.array([0, 2]), 10), [1, 3])
    np.testing.assert_array_equal(rank_all(np.zeros(4), np.array([], int), 2), [0, 1])


def test_coverage_counts_the_catalogue() -> None:
    metrics = ranking_metrics({1: np.arange(10), 2: np.arange(5, 15)}, {1: np.array([0]), 2: np.array([99])}, 60)
    assert metrics.coverage_at_10 == 15 / 60
    assert metrics.users == 2
    assert metrics.ndcg_at_10 == 0.5


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
