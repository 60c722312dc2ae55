"""Discrete Laplace noise (two-sided geometric): integers with chance ∝ exp(-|x| / scale), sampled exactly.

Sums of integers that differ by Δ in L1 norm are ε-private with scale Δ/ε. Canonne, Kamath and Steinke 2020, algorithm
2; the mechanism is of Ghosh, Roughgarden and Sundararajan, STOC 2009.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache
from math import ceil, prod

import numpy as np

from feature_repo.errors import InputError
from training.private.differential.coins import LazyUniform, flips
from training.private.differential.words import below, words

STEPS = 1024
"""A scale is rounded up to a multiple of 1/1024."""
LARGEST = 2.0**40
"""Of a scale."""


def integers(shape: int | tuple[int, ...], scale: float, rng: np.random.Generator | None = None) -> np.ndarray:
    """Independent draws of the discrete Laplace distribution, int64, of a shape.

    Args:
        shape: of the array.
        scale: Δ/ε, above 0 and at most 2^40; rounded up to a multiple of 1/1024, which is a little more noise.
        rng: a seeded generator, in tests; None for the operating system's randomness.

    Raises:
        InputError: the scale is no such number.

    >>> integers((2, 3), 1.5, np.random.default_rng(0)).shape
    (2, 3)
    """
    if not 0 < scale <= LARGEST:  # also if it is not a number
        raise InputError(
            expected="a scale of noise above 0, and at most 2^40",
            found=f"{scale:g}",
            next_command="refrain privacy budget show  (a budget of 0 or of infinity has no noise)",
        )
    count, steps = prod(shape) if isinstance(shape, tuple) else shape, ceil(scale * STEPS)
    draws, missing = [np.zeros(0, np.int64)], count
    while missing > 0:
        size = magnitudes(2 * missing + 32, steps, rng) // STEPS
        is_negative = (words(len(size), rng) >> np.uint64(63)).astype(bool)
        once = ~(is_negative & (size == 0))
        draws.append(np.where(is_negative, -size, size)[once][:missing])
        missing -= len(draws[-1])
    return np.concatenate(draws).reshape(shape)


def magnitudes(candidates: int, scale: int, rng: np.random.Generator | None) -> np.ndarray:
    """Integers x ≥ 0 with chance ∝ exp(-x / scale), int64: those that are left of some candidates, 63 % or more.

    The rest of x by the scale is uniform and kept with chance exp(-rest / scale); the quotient is geometric.
    """
    rest = below(scale, candidates, rng)
    if scale > 1:
        rest = rest[flips(rest / scale, lambda index: Fraction(int(rest[index]), scale), rng)]
    return rest + scale * _quotients(len(rest), rng)


def _quotients(count: int, rng: np.random.Generator | None) -> np.ndarray:
    """(count,) int64 k ≥ 0 with chance ∝ exp(-k): how many of exp(-1), exp(-2), … a uniform number is below."""
    drawn, thresholds = words(count, rng), _thresholds()
    above = np.searchsorted(thresholds, drawn, side="right")
    quotients = len(thresholds) - above
    for index in np.flatnonzero(np.isin(drawn, thresholds)):  # as good as never: its 64 bits are those of a threshold
        uniform = LazyUniform(int(drawn[index]), rng)
        quotients[index] = next(k for k in range(10**6) if not uniform.is_below(Fraction(k + 1)))
    return quotients


@cache
def _thresholds() -> np.ndarray:
    """floor(2^64 · exp(-k)) of k = 45, …, 1, uint64; the first is 0."""
    with localcontext() as context:
        context.prec = 60
        return np.array([int(Decimal(-k).exp() * 2**64) for k in range(45, 0, -1)], np.uint64)
