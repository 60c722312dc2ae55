"""The accountant is never below the truth, and as tight as an independent one."""

import json
import math
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.errors import InputError
from training.private.differential import gaussian, zcdp
from training.private.differential.statement import PrivacyStatement
from training.private.differential.threshold import threshold

ORACLE = Path(__file__).parent / "oracle.py"
RECORDED = {
    "sigma": [
        [0.1, 1e-06, 36.30469045643756],
        [0.5, 1e-05, 7.0318267420168326],
        [1.0, 1e-06, 4.224678930001968],
        [4.0, 1e-06, 1.1935186232677664],
        [10.0, 1e-09, 0.6502469442060566],
    ],
    "epsilon": [
        [0.001, 1e-06, 0.18289562944961593],
        [0.02, 1e-06, 0.899941978553389],
        [0.1, 1e-05, 1.9142389098288843],
        [1.0, 1e-06, 7.766224192079287],
        [5.0, 1e-09, 24.406063224124594],
    ],
    "discrete": [
        [2.0, 1, 1e-06, 2.275793151438104],
        [5.0, 1, 1e-06, 0.8349757406655202],
        [20.0, 3, 1e-06, 0.6129590554783982],
    ],
    "mixture": [[20.0, 30, 5.0, 1e-06, 1.3298133803811427]],
}
"""Figures of dp-accounting 0.6: ``REFRAIN_DP_ORACLE``'s ``python tests/training/private/differential/oracle.py``."""

Figures = dict[str, list[list[float]]]


@pytest.fixture(params=["recorded", "oracle"], scope="module")
def figures(request: pytest.FixtureRequest) -> Figures:
    """Figures of dp-accounting: as recorded, or of the Python that ``REFRAIN_DP_ORACLE`` names."""
    if request.param == "recorded":
        return RECORDED
    python = os.environ.get("REFRAIN_DP_ORACLE")
    if not python:
        pytest.skip("no REFRAIN_DP_ORACLE, a Python with dp-accounting 0.6")
    output = subprocess.run([python, str(ORACLE)], check=True, capture_output=True, text=True, timeout=60)
    return dict(json.loads(output.stdout))


def test_the_least_gaussian_noise_is_that_of_dp_accounting(figures: Figures) -> None:
    for epsilon, delta, sigma in figures["sigma"]:
        assert gaussian.sigma(epsilon, delta, 1.0) == pytest.approx(sigma, rel=1e-7)
        assert gaussian.sigma(epsilon, delta, 7.5) == pytest.approx(7.5 * sigma, rel=1e-7)


def test_the_conversion_is_that_of_dp_accounting(figures: Figures) -> None:
    for rho, delta, epsilon in figures["epsilon"]:
        assert epsilon * (1 - 1e-4) <= zcdp.epsilon(rho, delta) <= epsilon


def test_a_cost_is_never_below_what_the_distribution_of_the_loss_gives(figures: Figures) -> None:
    for sigma, sensitivity, delta, epsilon in figures["discrete"]:
        assert epsilon <= zcdp.epsilon(zcdp.rho_of(sigma, sensitivity), delta) <= 1.1 * epsilon
    for sigma, count, scale, delta, epsilon in figures["mixture"]:
        rho = count * zcdp.rho_of(sigma, 1.0) + zcdp.rho_of_pure(1 / scale)
        assert epsilon <= zcdp.epsilon(rho, delta) <= 1.25 * epsilon


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 8), st.floats(1e-9, 1e-3), st.floats(0.1, 1e6))
def test_gaussian_noise_is_enough_and_no_more(epsilon: float, delta: float, sensitivity: float) -> None:
    sigma = gaussian.sigma(epsilon, delta, sensitivity)
    assert gaussian.delta(sigma, epsilon, sensitivity) <= delta
    assert gaussian.delta(sigma * 0.999_99, epsilon, sensitivity) > delta


@settings(max_examples=25, deadline=None)
@given(st.floats(0.4, 12), st.integers(1, 4), st.floats(0.1, 6))
def test_discrete_noise_on_one_number_keeps_what_the_accountant_says(
    sigma: float, sensitivity: int, epsilon: float
) -> None:
    """δ at ε of the two distributions themselves, summed."""
    outcomes = np.arange(-int(60 * sigma) - 60, int(60 * sigma) + 61)

    def log_chances(centre: int) -> np.ndarray:
        log = -((outcomes - centre) ** 2) / (2 * sigma**2)
        return np.asarray(log - np.log(np.exp(log - log.max()).sum()) - log.max())

    here, there = np.exp(log_chances(sensitivity)), np.exp(log_chances(0))
    true_delta = np.maximum(here - math.exp(epsilon) * there, 0).sum()
    if true_delta > 1e-14:
        assert zcdp.epsilon(zcdp.rho_of(sigma, sensitivity), float(true_delta)) >= epsilon * (1 - 1e-9)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 20), st.floats(1e-12, 1e-2))
def test_the_largest_cost_of_a_guarantee_gives_it_and_no_more(epsilon: float, delta: float) -> None:
    rho = zcdp.rho(epsilon, delta)
    assert zcdp.epsilon(rho, delta) <= epsilon
    assert zcdp.epsilon(rho * 1.000_1, delta) > epsilon
    assert zcdp.epsilon(rho, delta) <= rho + 2 * math.sqrt(rho * math.log(1 / delta))
    assert zcdp.rho_of(zcdp.sigma_of(rho, 3.0), 3.0) <= rho


def test_the_smallest_numbers_have_a_cost_or_an_error() -> None:
    assert zcdp.epsilon(zcdp.rho(1.0, 5e-324), 5e-324) <= 1.0
    with pytest.raises(InputError, match="cost"):
        zcdp.rho(1e-200, 1e-300)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf, 1e6])
def test_an_epsilon_that_is_none(epsilon: float) -> None:
    for call in (gaussian.sigma, lambda e, d, _: zcdp.rho(e, d), lambda e, d, _: PrivacyStatement(e, d)):
        with pytest.raises(InputError, match="ε above 0"):
            call(epsilon, 1e-6, 1.0)


@pytest.mark.parametrize("delta", [0.0, -1e-6, math.nan, 1.0, math.inf])
def test_a_delta_that_is_none(delta: float) -> None:
    for call in (lambda d: gaussian.sigma(1.0, d, 1.0), lambda d: zcdp.epsilon(0.1, d), lambda d: zcdp.rho(1.0, d)):
        with pytest.raises(InputError, match="δ above 0"):
            call(delta)


@pytest.mark.parametrize("sensitivity", [0.0, -1.0, math.nan, math.inf])
def test_a_sensitivity_that_is_none(sensitivity: float) -> None:
    for call in (lambda s: gaussian.sigma(1.0, 1e-6, s), lambda s: zcdp.rho_of(1.0, s), lambda s: threshold(s, 0.1, 1)):
        with pytest.raises(InputError, match="above 0"):
            call(sensitivity)


def test_a_delta_that_would_let_one_person_be_published_is_refused() -> None:
    with pytest.raises(InputError, match="1/1,000, one by the number of people"):
        PrivacyStatement(1.0, 1e-3, people=1_000)
    assert PrivacyStatement(1.0, 9e-4, people=1_000).people == 1_000
    with pytest.raises(InputError, match="epsilon and delta"):
        PrivacyStatement.from_dict({"delta": 1e-6})


@settings(max_examples=25, deadline=None)
@given(st.floats(0.3, 60), st.floats(1e-12, 1e-2), st.integers(1, 50))
def test_a_key_of_one_person_passes_the_threshold_as_seldom_as_promised(
    sigma: float, failure: float, items: int
) -> None:
    least = threshold(sigma, failure, items)
    values = np.arange(-int(45 * sigma) - 5, int(45 * sigma) + 6)
    chances = np.exp(-(values**2) / (2 * sigma**2))
    passes = chances[values >= least - 1].sum() / chances.sum()
    assert items * passes <= failure * (1 + 1e-9)
    assert least <= 4 + sigma * math.sqrt(2 * math.log(items / failure))
