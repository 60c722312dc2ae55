"""The least Gaussian noise that gives (ε, δ) for one release of real numbers.

N(0, σ²) on sums that differ by Δ in L2 norm is (ε, δ)-private exactly if
Φ(Δ/2σ - εσ/Δ) - exp(ε) Φ(-Δ/2σ - εσ/Δ) ≤ δ. Balle and Wang, Improving the Gaussian Mechanism for Differential Privacy:
Analytical Calibration and Optimal Denoising, ICML 2018, theorem 8.

Integer noise (``noise``) of this σ is as private for all that matters, but proven by ``zcdp`` alone: what is published
in integers is accounted for there. This is how much a single release in real numbers needs, to compare with.
"""

import math

from scipy.special import log_ndtr

from training.private.differential.guarantee import check, check_sensitivity


def sigma(epsilon: float, delta: float, sensitivity: float) -> float:
    """Returns the least standard deviation that is (ε, δ)-private, rounded up by less than one in 10^9.

    Args:
        epsilon: ε.
        delta: δ.
        sensitivity: Δ, the largest L2 norm of what one person adds.

    Raises:
        InputError: an argument is not a number that privacy can be had with.

    >>> round(sigma(1.0, 1e-5, 1.0), 4)
    3.7306
    """
    check(epsilon, delta)
    check_sensitivity(sensitivity)
    lower, upper = 1e-9, 1.0
    while _log_delta(upper, epsilon) > math.log(delta):
        lower, upper = upper, 2 * upper
    while upper > lower * (1 + 1e-10):
        middle = math.sqrt(lower * upper)
        lower, upper = (middle, upper) if _log_delta(middle, epsilon) > math.log(delta) else (lower, middle)
    return upper * (1 + 1e-10) * sensitivity


def delta(sigma: float, epsilon: float, sensitivity: float) -> float:
    """Returns the δ of Gaussian noise at ε.

    >>> round(delta(3.7306, 1.0, 1.0), 8)
    1e-05
    """
    check_sensitivity(sensitivity)
    return math.exp(_log_delta(sigma / sensitivity, epsilon))


def _log_delta(sigma: float, epsilon: float) -> float:
    """Log of δ where one person adds at most 1."""
    larger = log_ndtr(1 / (2 * sigma) - epsilon * sigma)
    smaller = epsilon + log_ndtr(-1 / (2 * sigma) - epsilon * sigma)
    ratio = math.exp(min(smaller - larger, 0.0))
    return -math.inf if ratio == 1 else float(larger) + math.log1p(-ratio)
