"""The long tail is raised as far as the bound allows, at the least loss; left out, it costs nothing."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import RecommendationEngine
from inference.recommend import rerank
from tests.inference.recommend.answers import track_ids
from transforms.pure.candidates.exposure import is_long_tail, raise_exposure

COUNT = 3
DISCOUNTS = 1 / np.log2(np.arange(2, COUNT + 2))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 100_000),
    st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    st.sampled_from([0.0, 0.02, 0.2, 1.0]),
)
def test_no_list_of_that_loss_exposes_the_tail_more(seed: int, bonus: float, bound: float) -> None:
    rng = np.random.default_rng(seed)
    scores, raised = rng.normal(size=7), rng.random(7) < 0.4
    order = np.argsort(-scores)
    rows, sums = raise_exposure(order, scores, raised, COUNT, bonus, bound)
    assert sorted(rows.tolist()) == list(range(7))
    assert (np.diff(sums[rows]) <= 1e-9).all()
    gains = (scores - scores.min()) / (scores.max() - scores.min())

    def gain(shown: np.ndarray) -> float:
        return float(DISCOUNTS @ gains[shown])

    def exposure(shown: np.ndarray) -> float:
        return float(DISCOUNTS @ raised[shown])

    shown = rows[:COUNT]
    assert gain(shown) >= (1 - bound) * gain(order[:COUNT]) - 1e-9
    assert exposure(shown) >= exposure(order[:COUNT]) - 1e-12
    for other in permutations(range(7), COUNT):
        if gain(np.array(other)) >= gain(shown) - 1e-12:
            assert exposure(np.array(other)) <= exposure(shown) + 1e-9


@pytest.mark.parametrize("scores", [np.zeros(5), np.full(5, np.nan), np.array([np.inf, 1, 1, 1, 0]), np.empty(0)])
def test_scores_that_say_nothing_leave_the_order(scores: np.ndarray) -> None:
    order, raised = np.arange(len(scores)), np.arange(len(scores)) % 2 == 1
    if len(scores):
        assert raise_exposure(order, scores, raised, 2, 0.5, 0.5)[0].tolist() == order.tolist()
    assert raise_exposure(order, scores, np.zeros(len(scores), bool), 2, 0.5, 0.5)[0].tolist() == order.tolist()


def test_the_tail_is_outside_the_most_popular_fifth() -> None:
    assert is_long_tail(np.array([1, 9, 3, 0, 2])).tolist() == [True, False, True, True, True]
    assert is_long_tail(np.empty(0)).tolist() == []
    assert is_long_tail(np.array([4])).tolist() == [True]


def test_more_of_the_tail_is_shown_where_it_is_asked_for(engine: RecommendationEngine) -> None:
    is_tail = dict(zip(engine.catalogue.track_ids, engine.catalogue.is_long_tail.tolist(), strict=True))
    shares = []
    for options in ({}, {"long_tail": 0.3, "long_tail_loss": 0.1}, {"long_tail": 1.0, "long_tail_loss": 1.0}):
        answers = [engine.recommend(f"u{number:06}", **options) for number in range(6)]  # type: ignore[arg-type]
        assert all(len(answer.items) == 10 for answer in answers)
        shares.append(np.mean([is_tail[track] for answer in answers for track in track_ids(answer)]))
    assert shares[0] < shares[1] <= shares[2]
    both = engine.recommend("u000001", long_tail=0.3, diversify="mmr")
    assert len(set(track_ids(both))) == 10


def test_it_costs_nothing_where_it_is_not_asked_for(
    engine: RecommendationEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("nobody asked for the long tail")

    monkeypatch.setattr(rerank, "raise_exposure", fail)
    engine.recommend("u000001")
    assert "is_long_tail" not in vars(engine.catalogue)
