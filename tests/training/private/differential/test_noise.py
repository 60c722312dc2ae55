"""Noise is that of its formula, and exact; what rounding would decide is decided by further bits."""

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from training.private.differential import coins, exponential, laplace, noise, words


def chi_square(draws: np.ndarray, chance: Callable[[int], float], most: int) -> float:
    """Pearson's statistic by its degrees of freedom; values beyond ``most`` are one cell each side."""
    inside = np.arange(-most, most + 1)
    weights = np.array([chance(x) for x in range(-1_000, 1_001)])
    middle = weights[1_000 - most : 1_001 + most] / weights.sum() * len(draws)
    tail = (len(draws) - middle.sum()) / 2
    counts = np.array([np.count_nonzero(draws == x) for x in inside])
    tails = np.array([np.count_nonzero(draws < -most), np.count_nonzero(draws > most)])
    statistic = ((counts - middle) ** 2 / middle).sum() + ((tails - tail) ** 2 / tail).sum()
    return float(statistic / (len(inside) + 1))


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.7, 9.5])
def test_gaussian_noise_has_the_chances_of_its_formula(sigma: float) -> None:
    draws = noise.integers(100_000, sigma, np.random.default_rng(1))
    assert chi_square(draws, lambda x: math.exp(-(x**2) / (2 * sigma**2)), int(2.3 * sigma)) < 2.5


@pytest.mark.parametrize("scale", [0.4, 1.0, 5.25])
def test_laplace_noise_has_the_chances_of_its_formula(scale: float) -> None:
    draws = laplace.integers(100_000, scale, np.random.default_rng(2))
    exact = math.ceil(scale * laplace.STEPS) / laplace.STEPS
    assert exact >= scale
    assert chi_square(draws, lambda x: math.exp(-abs(x) / exact), int(3 * scale)) < 2.5


@pytest.mark.parametrize("sigma", [1e-3, 1000.7, 2.0**40])
def test_the_spread_of_very_small_and_large_noise(sigma: float) -> None:
    draws = noise.integers((200, 200), sigma, np.random.default_rng(3))
    assert draws.shape == (200, 200)
    assert draws.dtype == np.int64
    if sigma < 1:
        assert not draws.any()
    else:
        assert abs(draws.std() / sigma - 1) < 0.02
        assert abs(draws.mean() / sigma) < 0.02
        assert len(np.unique(draws % 2)) == 2


def test_noise_of_the_operating_system_is_never_the_same_again() -> None:
    assert not np.array_equal(noise.integers(50, 100.0), noise.integers(50, 100.0))
    assert noise.integers(0, 100.0).tolist() == []
    assert noise.integers((), 100.0).shape == ()


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 2.0**41])
@pytest.mark.parametrize("draw", [noise.integers, laplace.integers])
def test_no_noise_of_a_spread_that_is_none(draw: Callable[[int, float], np.ndarray], sigma: float) -> None:
    with pytest.raises(InputError, match="budget"):
        draw(3, sigma)


@settings(max_examples=60, deadline=None)
@given(st.fractions(0, 50, max_denominator=10_000), st.integers(0, 2**64 - 1))
def test_a_coin_is_decided_by_the_true_exponential(exponent: Fraction, word: int) -> None:
    with localcontext() as context:
        context.prec = 80
        chance = Fraction((-Decimal(exponent.numerator) / Decimal(exponent.denominator)).exp())
    uniform = coins.LazyUniform(word, np.random.default_rng(0))
    heads = uniform.is_below(exponent)
    if Fraction(word + 1, 2**64) <= chance * Fraction(10**70 - 1, 10**70):
        assert heads
    if Fraction(word, 2**64) >= chance * Fraction(10**70 + 1, 10**70):
        assert not heads


def test_a_coin_whose_first_bits_do_not_decide_draws_more() -> None:
    tie = int(Decimal("-1").exp() * 2**64)  # with 28 digits: the first 64 bits of exp(-1)
    heads = [coins.LazyUniform(tie, np.random.default_rng(seed)).is_below(Fraction(1)) for seed in range(400)]
    rest = Fraction(Decimal("0.36787944117144232159552377016146086744581113103177")) * 2**64 - tie
    assert abs(sum(heads) / 400 - float(rest)) < 0.08


def test_floating_point_and_exact_decisions_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = noise.integers(300, 3.3, np.random.default_rng(4))
    monkeypatch.setattr(coins, "_RELATIVE", 10.0)  # nothing is decided in floating point
    monkeypatch.setattr(coins, "_ABSOLUTE", 10.0)
    assert noise.integers(300, 3.3, np.random.default_rng(4)).tolist() == fast.tolist()


def test_words_below_a_limit_are_uniform() -> None:
    counts = np.bincount(words.below(5, 50_000, np.random.default_rng(5)), minlength=5)
    assert np.abs(counts - 10_000).max() < 400
    assert words.below(7, 0).tolist() == []


@pytest.mark.parametrize("is_one_sided", [False, True])
def test_a_choice_has_the_chances_of_the_exponential_mechanism(is_one_sided: bool) -> None:
    scores, epsilon, sensitivity, rng = np.array([3, 0, 5, 4]), 1.5, 2, np.random.default_rng(6)
    chances = np.exp(scores * epsilon / (sensitivity if is_one_sided else 2 * sensitivity))
    chances /= chances.sum()
    counts = np.zeros(4)
    for _ in range(4_000):
        counts[exponential.choose(scores, epsilon, sensitivity, is_one_sided=is_one_sided, rng=rng)] += 1
    assert ((counts - 4_000 * chances) ** 2 / (4_000 * chances)).sum() < 14  # 3 degrees of freedom: one in 300


def test_choices_are_different_candidates_and_of_the_best() -> None:
    scores = np.arange(2_000) * 1_000
    assert exponential.choose(scores, 2.0, 1, count=4).tolist() == [1_999, 1_998, 1_997, 1_996]
    assert sorted(exponential.choose(np.zeros(5, np.int64), 1.0, 1, count=5).tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("count", "epsilon", "sensitivity"), [(4, 1.0, 1), (0, 1.0, 1), (1, 0.0, 1), (1, 1.0, 0)])
def test_a_choice_that_cannot_be_made(count: int, epsilon: float, sensitivity: float) -> None:
    with pytest.raises(InputError):
        exponential.choose(np.array([1, 2, 3]), epsilon, sensitivity, count=count)
