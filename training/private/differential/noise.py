"""Discrete Gaussian noise: integers with chance ∝ exp(-x² / 2σ²), sampled exactly.

Added to integer sums, it is as private as Gaussian noise added to real ones: sums that differ by Δ in L2 norm are
Δ²/(2σ²)-zCDP (``zcdp``). Rejection from the discrete Laplace distribution; every decision is exact (``coins``), so
that no rounding gives a sum away. Canonne, Kamath and Steinke, The Discrete Gaussian for Differential Privacy, NeurIPS
2020, algorithms 1 to 3.

The time that a draw takes says a little of the noise (how many candidates were refused): do not let others time it.
"""

from fractions import Fraction
from math import floor, prod

import numpy as np

from feature_repo.errors import InputError
from training.private.differential.coins import flips
from training.private.differential.laplace import magnitudes
from training.private.differential.words import words

SMALLEST, LARGEST = 2.0**-20, 2.0**40
"""Of σ: below it there is no noise to speak of, above it floating point would not hold the integers."""
_BATCH = 1 << 20
"""Candidates that are drawn at once."""


def integers(shape: int | tuple[int, ...], sigma: float, rng: np.random.Generator | None = None) -> np.ndarray:
    """Independent draws of the discrete Gaussian distribution, int64, of a shape.

    Args:
        shape: of the array.
        sigma: σ, 2^-20 to 2^40, in steps of the integers; the standard deviation is at most σ.
        rng: a seeded generator, in tests; None for the operating system's randomness.

    Raises:
        InputError: σ is no such number.

    >>> integers((2, 3), 10.0, np.random.default_rng(0)).shape
    (2, 3)
    >>> round(float(integers(10_000, 10.0, np.random.default_rng(0)).std()))
    10
    """
    if not SMALLEST <= sigma <= LARGEST:  # also if it is not a number
        raise InputError(
            expected="a standard deviation of noise between 2^-20 and 2^40",
            found=f"{sigma:g}",
            next_command="refrain privacy budget show  (a budget of 0 or of infinity has no noise)",
        )
    count = prod(shape) if isinstance(shape, tuple) else shape
    draws, missing = [np.zeros(0, np.int64)], count
    while missing > 0:
        draws.append(_accepted(min(2 * missing + 32, _BATCH), float(sigma), rng)[:missing])
        missing -= len(draws[-1])
    return np.concatenate(draws).reshape(shape)


def _accepted(candidates: int, sigma: float, rng: np.random.Generator | None) -> np.ndarray:
    """Draws that are left of some candidates, at least half of them on average."""
    scale = floor(sigma) + 1
    size = magnitudes(candidates, scale, rng)
    is_negative = (words(len(size), rng) >> np.uint64(63)).astype(bool)
    once = ~(is_negative & (size == 0))  # zero has no sign, so it would come twice
    size, is_negative = size[once], is_negative[once]
    variance = Fraction(sigma) ** 2

    def exact(index: int) -> Fraction:
        return (int(size[index]) - variance / scale) ** 2 / (2 * variance)

    heads = flips(((size - float(variance / scale)) / sigma) ** 2 / 2, exact, rng)
    return np.where(is_negative, -size, size)[heads]
