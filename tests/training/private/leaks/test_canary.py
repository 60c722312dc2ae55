"""Lower bounds of ε: never above that of a sound mechanism, above it for one with a quarter of the noise."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import brentq
from scipy.stats import binom, norm

from feature_repo.errors import InputError
from training.private.differential import zcdp
from training.private.differential.ease import PrivateEASE
from training.private.leaks import canary, one_run, private_ease, private_sums
from training.private.leaks.leak import BROKEN, WITHIN
from training.private.leaks.simulated_people import simulate

LENGTH, TRACKS, DELTA, SEEDS = 8, 600, 1e-6, 20
SENSITIVITY = (LENGTH * (LENGTH + 1) / 2) ** 0.5


def sigma(epsilon: float) -> float:
    """Noise of the analytic Gaussian mechanism (Balle and Wang 2018), by bisection."""

    def excess(mu: float) -> float:
        return float(norm.cdf(mu / 2 - epsilon / mu) - np.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu) - DELTA)

    return SENSITIVITY / float(brentq(excess, 1e-6, 100))


def release(spread: float, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    return lambda sums: sums + np.rint(rng.normal(0, spread, sums.shape)).astype(np.int64)


@pytest.fixture(scope="module")
def people() -> sparse.csr_array:
    return canary.people(300, TRACKS, LENGTH, np.random.default_rng(0))


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_one_run_holds_for_sound_noise_and_convicts_a_quarter_of_it(epsilon: float, people: sparse.csr_array) -> None:
    sound, broken = [], []
    for seed in range(SEEDS):
        for bounds, parts in ((sound, 1), (broken, 4)) if seed < 5 else ((sound, 1),):
            mechanism = release(sigma(epsilon) / parts, seed)
            rng = np.random.default_rng(seed)
            bounds.append(private_sums.canary_leak("sums", people, mechanism, LENGTH, epsilon, DELTA, rng))
    assert max(leak.value or 0.0 for leak in sound) <= epsilon
    assert {leak.verdict for leak in sound} == {WITHIN}
    assert min(leak.value or 0.0 for leak in broken) > epsilon
    assert {leak.verdict for leak in broken} == {BROKEN}


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_many_runs_hold_for_sound_noise_and_convict_a_quarter_of_it(epsilon: float) -> None:
    def bound(spread: float, seed: int) -> float:
        rng = np.random.default_rng(seed)
        inside, outside = (shift + rng.normal(0, spread / SENSITIVITY, 20_000) for shift in (1.0, 0.0))
        return canary.epsilon_lower_bound(inside, outside, DELTA)

    sound = [bound(sigma(epsilon), seed) for seed in range(SEEDS)]
    assert max(sound) <= epsilon
    assert np.median(sound) > 0.1
    assert min(bound(sigma(epsilon) / 4, seed) for seed in range(5)) > epsilon


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_private_ease_holds_and_a_quarter_of_its_noise_is_convicted(epsilon: float) -> None:
    rows = simulate(500, 250, 20, np.random.default_rng(1))
    sound = PrivateEASE(epsilon, DELTA)
    broken = PrivateEASE(zcdp.epsilon(16 * sound.rho, DELTA), DELTA)

    def bounds(model: PrivateEASE, seeds: int) -> list[float]:
        rngs = [np.random.default_rng(seed).spawn(2) for seed in range(seeds)]
        return [private_ease.canary_bound(model, rows, coins, epsilon, noise) for coins, noise in rngs]

    assert max(bounds(sound, SEEDS if epsilon == 1 else 5)) <= epsilon
    assert np.median(bounds(broken, 3)) > epsilon


def test_a_private_version_is_attacked_on_simulated_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_ease, "PEOPLE", 1_250)
    few = private_ease.measure(PrivateEASE(4.0, DELTA), noise=np.random.default_rng(0))
    assert [leak.attack for leak in few] == ["lira"] * 3 + ["canaries"]
    assert few[0].high is not None
    assert few[0].high < 0.05
    assert few[-1].verdict == WITHIN
    assert "stated 4.0000" in few[-1].sentence


def test_without_noise_the_bound_is_all_that_the_runs_can_show() -> None:
    for inside, outside in ((np.ones(4_000), np.zeros(4_000)), (np.zeros(4_000) + 1e-9, np.zeros(4_000))):
        assert canary.epsilon_lower_bound(inside, outside, 0.0) == pytest.approx(6.3, abs=0.1)
    assert canary.epsilon_lower_bound(np.zeros(4_000), np.ones(4_000), 0.0) == 0.0
    is_in = np.arange(2_000) % 2 == 0
    assert one_run.epsilon_lower_bound(is_in.astype(float), is_in, 0.0, guessed=1.0) > 6
    assert one_run.epsilon_lower_bound(-is_in.astype(float), is_in, 0.0) == 0.0


def test_a_pure_mechanism_has_the_bound_of_coins() -> None:
    """With δ = 0 the chance of so many right guesses is that of coins with chance e^ε / (1 + e^ε)."""
    is_in = np.arange(400) % 2 == 0
    scores = np.where(np.arange(400) < 340, is_in, ~is_in) + np.arange(400) * 1e-6
    low = one_run.epsilon_lower_bound(scores, is_in, 0.0, guessed=1.0)
    right = int(is_in[np.argsort(scores)[200:]].sum() * 2)
    assert binom.sf(right - 1, 400, 1 / (1 + np.exp(-low))) == pytest.approx(0.05, abs=1e-6)
    assert one_run.epsilon_lower_bound(scores, is_in, 1e-3, guessed=1.0) < low


@pytest.mark.parametrize(
    "call",
    [
        lambda: canary.epsilon_lower_bound(np.ones(1), np.ones(5), 1e-6),
        lambda: canary.epsilon_lower_bound(np.array([1.0, np.inf]), np.ones(5), 1e-6),
        lambda: canary.epsilon_lower_bound(np.ones(5), np.ones(5), 1.0),
        lambda: one_run.epsilon_lower_bound(np.ones(5), np.ones(5, bool), 1e-6),
        lambda: one_run.epsilon_lower_bound(np.full(50, np.nan), np.ones(50, bool), 1e-6),
        lambda: canary.people(2, 3, 4, np.random.default_rng(0)),
    ],
)
def test_bad_input_is_said(call: Callable[[], object]) -> None:
    with pytest.raises(InputError):
        call()
