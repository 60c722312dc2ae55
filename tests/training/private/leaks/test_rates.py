"""Rates of attacks against naive oracles, and intervals that hold as often as they say."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from feature_repo.errors import InputError
from training.private.leaks.membership import loss_threshold
from training.private.leaks.rates import auc, proportion, rates

scores = st.lists(st.integers(-5, 5), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(inside=scores, outside=scores)
def test_the_area_is_the_share_of_pairs_in_order(inside: list[int], outside: list[int]) -> None:
    pairs = [(a > b) + (a == b) / 2 for a, b in product(inside, outside)]
    assert auc(np.array(inside), np.array(outside)) == pytest.approx(float(np.mean(pairs)))


@settings(max_examples=40, deadline=None)
@given(successes=st.integers(0, 40), more=st.integers(0, 40))
def test_intervals_are_scipys_exact_ones(successes: int, more: int) -> None:
    if successes + more == 0:
        return
    figure = proportion(successes, successes + more)
    oracle = binomtest(successes, successes + more).proportion_ci(0.95, method="exact")
    assert (figure.low, figure.high) == pytest.approx((oracle.low, oracle.high))


@settings(max_examples=40, deadline=None)
@given(inside=scores, outside=st.lists(st.integers(-5, 5), min_size=50, max_size=60))
def test_no_lower_threshold_allows_as_few_false_positives(inside: list[int], outside: list[int]) -> None:
    (point,) = rates(np.array(inside, float), np.array(outside, float), [0.1]).points
    assert point is not None
    assert point.false_positives.mean <= 0.1
    assert point.true_positives.mean == pytest.approx(np.mean(np.array(inside) > point.threshold))
    lower = max((one for one in outside if one < point.threshold), default=None)
    if lower is not None:
        assert np.mean(np.array(outside) > lower) > 0.1


def test_too_few_outsiders_are_undecided_and_not_zero() -> None:
    assert rates(np.ones(10), np.zeros(499), [0.01]).points == (None,)
    assert rates(np.ones(10), np.zeros(500), [0.01]).points[0] is not None
    assert rates(np.ones(0), np.zeros(500), [0.01]).points == (None,)
    nobody = rates(np.empty(0), np.empty(0))
    assert nobody.points == (None, None)
    assert np.isnan(nobody.auc)
    assert (nobody.low, nobody.high) == (0.0, 1.0)


def test_the_loss_threshold_sees_an_overfitted_model_and_no_other() -> None:
    rng = np.random.default_rng(0)
    inside, outside = rng.gamma(1, 1, 4_000), rng.gamma(2, 1, 4_000)
    overfitted = loss_threshold(inside, outside)
    assert overfitted.advantage > 0.3
    assert overfitted.rates.low > 0.5
    other = loss_threshold(outside[:2_000], outside[2_000:])
    assert abs(other.advantage) < 0.06
    assert other.rates.low < 0.5 < other.rates.high


@pytest.mark.parametrize("call", [lambda: proportion(3, 2), lambda: rates(np.array([np.nan]), np.ones(3))])
def test_what_is_no_number_is_said(call: object) -> None:
    with pytest.raises(InputError):
        call()  # type: ignore[operator]
