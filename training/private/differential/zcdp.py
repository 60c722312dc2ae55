"""The accountant: zero-concentrated differential privacy, whose costs ρ add.

Gaussian noise of σ on sums that differ by Δ in L2 norm costs Δ²/(2σ²), discrete Gaussian noise on integers the same
(Canonne, Kamath and Steinke 2020, theorem 14); an ε-private mechanism costs ε²/2. Releases of ρ₁, ρ₂, … together cost
their sum, also where one is chosen by what came before. Bun and Steinke, Concentrated Differential Privacy, TCC 2016.

To (ε, δ) by the tighter conversion of Canonne, Kamath and Steinke, corollary 13: for every α > 1,
ε = αρ + (log(1/δ) + α log(1 - 1/α) - log(α - 1)) / (α - 1). The least over some α is taken: never too small.
"""

import math
import sys

import numpy as np

from feature_repo.errors import InputError
from training.private.differential.guarantee import check, check_delta, check_sensitivity

_ORDERS = np.logspace(-4, 7, 1_200)
"""α - 1 that are tried first; then as many around the best."""


def rho_of(sigma: float, sensitivity: float) -> float:
    """Returns the cost of Gaussian noise, continuous on real numbers or discrete on integers.

    Args:
        sigma: σ of the noise.
        sensitivity: Δ, the largest L2 norm of what one person adds.

    Raises:
        InputError: an argument is not above 0, or infinite.

    >>> rho_of(4.0, 1.0)
    0.03125
    """
    check_sensitivity(sensitivity)
    check_sensitivity(sigma)
    return (sensitivity / sigma) ** 2 / 2


def sigma_of(rho: float, sensitivity: float) -> float:
    """Returns the σ of Gaussian noise that costs at most ρ.

    >>> sigma_of(0.03125, 1.0)
    4.0
    """
    check_sensitivity(sensitivity)
    check_sensitivity(rho)
    sigma = sensitivity / math.sqrt(2 * rho)
    while rho_of(sigma, sensitivity) > rho:  # rounded, by a step or two
        sigma = math.nextafter(sigma, math.inf)
    return sigma


def rho_of_pure(epsilon: float) -> float:
    """Returns the cost of a mechanism that is ε-private with δ = 0, such as discrete Laplace noise.

    >>> rho_of_pure(0.5)
    0.125
    """
    check_sensitivity(epsilon)
    return epsilon**2 / 2


def epsilon(rho: float, delta: float) -> float:
    """Returns the ε that ρ guarantees with all but δ.

    Args:
        rho: ρ, 0 or more.
        delta: δ.

    Raises:
        InputError: δ is not between 0 and 1, or ρ is negative or infinite.

    >>> round(epsilon(0.1, 1e-6), 3), round(0.1 + 2 * (0.1 * math.log(1e6)) ** 0.5, 3)        # Bun and Steinke's
    (2.142, 2.451)
    """
    check_delta(delta)
    if rho == 0:
        return 0.0
    check_sensitivity(rho)
    coarse = _epsilons(_ORDERS, rho, delta)
    best = _ORDERS[int(coarse.argmin())]
    fine = _epsilons(best * np.logspace(-0.02, 0.02, 1_200), rho, delta)
    simple = rho + 2 * math.sqrt(rho * -math.log(delta))
    return max(min(float(coarse.min()), float(fine.min()), simple), 0.0)


def rho(epsilon: float, delta: float) -> float:
    """Returns the largest ρ that guarantees (ε, δ), rounded down by less than one in 10^9.

    Raises:
        InputError: ε or δ is not a number that privacy can be had with, or ε so small that no number is its cost.

    >>> round(rho(1.0, 1e-6), 5)
    0.02436
    """
    check(epsilon, delta)
    lower, upper = 0.0, epsilon + 1.0
    while upper > sys.float_info.min and upper - lower > 1e-10 * upper:
        middle = (lower + upper) / 2
        lower, upper = (middle, upper) if _epsilon_of(middle, delta) <= epsilon else (lower, middle)
    if not lower:
        raise InputError(
            expected="an ε whose cost ρ is a number above 0",
            found=f"{epsilon:g}",
            next_command="refrain privacy budget show",
        )
    return lower


def _epsilons(orders: np.ndarray, rho: float, delta: float) -> np.ndarray:
    """ε of every α - 1."""
    alpha = orders + 1
    rest = -math.log(delta) + alpha * np.log1p(-1 / alpha) - np.log(orders)
    return np.asarray(alpha * rho + rest / orders)


_epsilon_of = epsilon  # ``rho`` has an argument of that name
