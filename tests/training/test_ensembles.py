"""Ensembles: their predictions, their weights, and the inputs that they refuse."""

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
    known_until = dict.fromkeys(columns, 0)
    return Members.out_of_time(columns, TRUTH, happened=np.arange(600), known_until=known_until)


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
    member_set = members(high=HIGH, low=low, bad=BAD)
    ensemble_error = error(ensemble.fit(member_set).combine(member_set.values))
    assert ensemble_error < min(map(error, member_set.values.T))
    assert ensemble_error <= error(MeanEnsemble().fit(member_set).combine(member_set.values))
    assert all(weight >= 0 for weight in ensemble.weights.values())


def test_weights_follow_the_loss() -> None:
    def asymmetric(truth: np.ndarray, prediction: np.ndarray) -> float:
        return float(np.mean(np.where(prediction < truth, 100.0, 1.0) * np.abs(prediction - truth)))

    assert WeightedEnsemble(asymmetric).fit(ALL).weights["high"] > 0.6
    assert WeightedEnsemble().fit(ALL).weights["high"] < 0.5


def test_one_member_alone_keeps_its_weight() -> None:
    single = members(good=GOOD)
    assert WeightedEnsemble().fit(single).weights == {"good": 1.0}
    assert StackingEnsemble().fit(single).weights["good"] == pytest.approx(1, abs=0.02)


def test_stacking_with_a_constant_takes_a_bias_out() -> None:
    biased = members(high=HIGH)
    without_intercept, with_intercept = StackingEnsemble().fit(biased), StackingEnsemble(intercept=True).fit(biased)
    errors = [
        np.mean((ensemble.combine(biased.values) - TRUTH) ** 2) for ensemble in (with_intercept, without_intercept)
    ]
    assert errors[0] < errors[1]
    assert with_intercept.constant < 0


def test_selection_gives_each_segment_its_own() -> None:
    segment = np.where(np.arange(600) < 300, "first", "second")
    first_prediction = np.where(segment == "first", TRUTH, TRUTH + 5)
    second_prediction = np.where(segment == "first", TRUTH - 5, TRUTH)
    member_set = members(one=first_prediction, other=second_prediction)
    ensemble = SelectionEnsemble(least=100).fit(member_set, segment)
    assert error(ensemble.combine(member_set.values, segment)) < 1e-9
    assert ensemble.weights["first"]["one"] == ensemble.weights["second"]["other"] == 1
    # an unknown segment gets the weights of all rows
    combined = ensemble.combine(member_set.values[:1], np.array(["third"]))
    np.testing.assert_allclose(combined, ensemble.whole.combine(member_set.values[:1]))


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
    ranks = ranks_within(scores, group)
    for row, (score, own_group) in enumerate(zip(scores, group, strict=True)):
        group_scores = scores[group == own_group]
        below, equal = (group_scores < score).sum(), (group_scores == score).sum()
        expected = 0.5 if len(group_scores) == 1 else (below + (equal - 1) / 2) / (len(group_scores) - 1)
        assert ranks[row] == pytest.approx(expected)


def test_rank_average_does_not_care_about_scales() -> None:
    ensemble = RankAverageEnsemble().fit(ALL)
    values = ALL.values
    scaled = values * np.array([1.0, 1_000.0, 1e-6]) + np.array([0, 5, -3])
    np.testing.assert_allclose(ensemble.combine(values), ensemble.combine(scaled))
    single_member = RankAverageEnsemble({"good": 2.0}).fit(ALL)
    np.testing.assert_array_equal(np.argsort(single_member.combine(values)), np.argsort(GOOD))


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
    training_folds = {0: (1, 2), 1: (0, 2), 2: (0, 1)}
    Members.out_of_fold({"fair": GOOD}, TRUTH, fold=fold, fitted_on={"fair": training_folds})
    with pytest.raises(LeakError, match="fold 1"):
        Members.out_of_fold({"peeked": GOOD}, TRUTH, fold=fold, fitted_on={"peeked": training_folds | {1: (0, 1)}})
    with pytest.raises(LeakError, match="fold 2"):  # fold 2 is missing
        Members.out_of_fold({"silent": GOOD}, TRUTH, fold=fold, fitted_on={"silent": {0: (1, 2), 1: (0, 2)}})
    with pytest.raises(LeakError, match="groups in several"):
        Members.out_of_fold(
            {"fair": GOOD}, TRUTH, fold=fold, fitted_on={"fair": training_folds}, group=np.arange(600) // 10
        )


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(InputError, match="for the same rows"):
        members(good=GOOD[:-1])
    with pytest.raises(InputError, match=r"finite.*\['broken'\]"):
        members(good=GOOD, broken=np.where(np.arange(600) == 5, np.nan, BAD))
    with pytest.raises(InputError, match=r"\(n, 3\)"):
        MeanEnsemble().fit(ALL).combine(np.zeros((4, 2)))
