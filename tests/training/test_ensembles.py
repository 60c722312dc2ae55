"""Ensembles: what they compute, and what they refuse."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from feature_repo.errors import InputError
from training.models.ensemble import (
    LeakError,
    MeanEnsemble,
    MedianEnsemble,
    Members,
    RankAverageEnsemble,
    SelectionEnsemble,
    StackingEnsemble,
    WeightedEnsemble,
)
from training.models.ensemble.rank_average import ranks_within

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(10, 3, 600)


def members(**columns: np.ndarray) -> Members:
    known = dict.fromkeys(columns, 0)
    return Members.out_of_time(columns, TRUTH, happened=np.arange(600), known_until=known)


GOOD, BAD = TRUTH + RNG.normal(0, 1, 600), TRUTH + RNG.normal(0, 4, 600)
HIGH = TRUTH + 2 + RNG.normal(0, 1, 600)
ALL = members(good=GOOD, bad=BAD, high=HIGH)


def error(prediction: np.ndarray) -> float:
    return float(np.mean(np.abs(prediction - TRUTH)))


def test_mean_and_median() -> None:
    values = np.array([[1.0, 2.0, 9.0], [4.0, 4.0, 4.0]])
    assert MeanEnsemble().fit(ALL).combine(values).tolist() == [4.0, 4.0]
    assert MedianEnsemble().fit(ALL).combine(values).tolist() == [2.0, 4.0]


@pytest.mark.parametrize("ensemble", [WeightedEnsemble(), StackingEnsemble()])
def test_learned_weights_beat_every_member_and_the_mean(ensemble: WeightedEnsemble | StackingEnsemble) -> None:
    low = TRUTH - 2 + RNG.normal(0, 1, 600)
    both = members(high=HIGH, low=low, bad=BAD)
    found = error(ensemble.fit(both).combine(both.values))
    assert found < min(map(error, both.values.T))
    assert found <= error(MeanEnsemble().fit(both).combine(both.values))
    assert all(weight >= 0 for weight in ensemble.weights.values())


def test_weights_follow_the_loss() -> None:
    def asymmetric(truth: np.ndarray, prediction: np.ndarray) -> float:
        return float(np.mean(np.where(prediction < truth, 100.0, 1.0) * np.abs(prediction - truth)))

    assert WeightedEnsemble(asymmetric).fit(ALL).weights["high"] > 0.6
    assert WeightedEnsemble().fit(ALL).weights["high"] < 0.5


def test_one_member_alone_keeps_its_weight() -> None:
    alone = members(good=GOOD)
    assert WeightedEnsemble().fit(alone).weights == {"good": 1.0}
    assert StackingEnsemble().fit(alone).weights["good"] == pytest.approx(1, abs=0.02)


def test_stacking_with_a_constant_takes_a_bias_out() -> None:
    shifted = members(high=HIGH)
    plain, bent = StackingEnsemble().fit(shifted), StackingEnsemble(intercept=True).fit(shifted)
    squares = [np.mean((one.combine(shifted.values) - TRUTH) ** 2) for one in (bent, plain)]
    assert squares[0] < squares[1]
    assert bent.constant < 0


def test_selection_gives_each_segment_its_own() -> None:
    segment = np.where(np.arange(600) < 300, "first", "second")
    one = np.where(segment == "first", TRUTH, TRUTH + 5)
    other = np.where(segment == "first", TRUTH - 5, TRUTH)
    both = members(one=one, other=other)
    ensemble = SelectionEnsemble(least=100).fit(both, segment)
    assert error(ensemble.combine(both.values, segment)) < 1e-9
    assert ensemble.weights["first"]["one"] == ensemble.weights["second"]["other"] == 1
    # a segment that nobody knows gets the weights of all
    new = ensemble.combine(both.values[:1], np.array(["third"]))
    np.testing.assert_allclose(new, ensemble.whole.combine(both.values[:1]))


def test_small_segments_have_no_weights_of_their_own() -> None:
    segment = np.where(np.arange(600) < 50, "small", "large")
    assert set(SelectionEnsemble(least=100).fit(ALL, segment).by_segment) == {"large"}


@settings(max_examples=50, deadline=None)
@given(
    scores=arrays(np.float64, 30, elements=st.integers(0, 6).map(float)),
    group=arrays(np.int64, 30, elements=st.integers(0, 4)),
)
def test_ranks_within_lists(scores: np.ndarray, group: np.ndarray) -> None:
    group = np.unique(group, return_inverse=True)[1]
    found = ranks_within(scores, group)
    for row, (score, mine) in enumerate(zip(scores, group, strict=True)):
        others = scores[group == mine]
        below, same = (others < score).sum(), (others == score).sum()
        expected = 0.5 if len(others) == 1 else (below + (same - 1) / 2) / (len(others) - 1)
        assert found[row] == pytest.approx(expected)


def test_rank_average_does_not_care_about_scales() -> None:
    ensemble = RankAverageEnsemble().fit(ALL)
    values = ALL.values
    scaled = values * np.array([1.0, 1_000.0, 1e-6]) + np.array([0, 5, -3])
    np.testing.assert_allclose(ensemble.combine(values), ensemble.combine(scaled))
    only = RankAverageEnsemble({"good": 2.0}).fit(ALL)
    np.testing.assert_array_equal(np.argsort(only.combine(values)), np.argsort(GOOD))


def test_a_member_fitted_on_what_it_is_judged_by_is_refused() -> None:
    happened = np.arange(600)
    with pytest.raises(LeakError, match="'peeked'.*rows after the data of its fit.*1 of 600"):
        Members.out_of_time(
            {"fair": GOOD, "peeked": BAD}, TRUTH, happened=happened, known_until={"fair": 0, "peeked": 1}
        )
    with pytest.raises(LeakError, match="the end of the data of the fit"):
        Members.out_of_time({"fair": GOOD, "silent": BAD}, TRUTH, happened=happened, known_until={"fair": 0})


def test_folds_that_leak_are_refused() -> None:
    fold = np.arange(600) % 3
    others = {0: (1, 2), 1: (0, 2), 2: (0, 1)}
    Members.out_of_fold({"fair": GOOD}, TRUTH, fold=fold, fitted_on={"fair": others})
    with pytest.raises(LeakError, match="fold 1"):
        Members.out_of_fold({"peeked": GOOD}, TRUTH, fold=fold, fitted_on={"peeked": others | {1: (0, 1)}})
    with pytest.raises(LeakError, match="fold 2"):  # not said
        Members.out_of_fold({"silent": GOOD}, TRUTH, fold=fold, fitted_on={"silent": {0: (1, 2), 1: (0, 2)}})
    with pytest.raises(LeakError, match="groups in several"):
        Members.out_of_fold({"fair": GOOD}, TRUTH, fold=fold, fitted_on={"fair": others}, group=np.arange(600) // 10)


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(InputError, match="for the same rows"):
        members(good=GOOD[:-1])
    with pytest.raises(InputError, match=r"finite.*\['broken'\]"):
        members(good=GOOD, broken=np.where(np.arange(600) == 5, np.nan, BAD))
    with pytest.raises(InputError, match=r"\(n, 3\)"):
        MeanEnsemble().fit(ALL).combine(np.zeros((4, 2)))
