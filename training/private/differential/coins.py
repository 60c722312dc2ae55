"""Coins that fall heads with chance exp(-x), exactly, many at once.

A uniform number is compared with exp(-x) by its first 64 bits, in floating point. Where these do not decide, given the
error of the floating point (about one coin in 2^30), further bits are drawn and exp(-x) is bracketed by decimals of as
many digits as it takes. So no coin is biased by rounding, which is what attacks on noise in floating point use
(Mironov, On Significance of the Least Significant Bits for Differential Privacy, CCS 2012).
"""

from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

from training.private.differential.words import words

_RELATIVE = 2.0**-30
"""Relative error that is allowed of exp(-x): of x itself 2^-31 where x ≤ 64, and of the exponential 2^-52."""
_ABSOLUTE = 2.0**-62
"""Two steps of a word of 64 bits."""


class LazyUniform:
    """A uniform number of [0, 1) of which bits are drawn as they are needed.

    Args:
        word: its first 64 bits.
        rng: where further bits come from; None for the operating system.

    >>> LazyUniform(2**63 - 1).is_below(Fraction(1, 2))           # exp(-1/2) = 0.607 is above every 0.4999…
    True
    """

    def __init__(self, word: int, rng: np.random.Generator | None = None) -> None:
        self._value, self._bits, self._rng = word, 64, rng

    def is_below(self, exponent: Fraction) -> bool:
        """Whether the number is below exp(-exponent)."""
        while True:
            lower, upper = _bracket(exponent, self._bits)
            if self._value + 1 <= lower:
                return True
            if self._value >= upper:
                return False
            self._value = (self._value << 64) | int(words(1, self._rng)[0])
            self._bits += 64


def flips(
    exponents: np.ndarray, exact: Callable[[int], Fraction], rng: np.random.Generator | None = None
) -> np.ndarray:
    """(n,) bool, each True with chance exp(-x).

    Args:
        exponents: (n,) float64 x ≥ 0, within 2^-31 of the true ones up to 64, and above 45 where the true one is.
        exact: index → the true x.
        rng: as for ``words``.

    >>> bool(flips(np.zeros(1), lambda index: Fraction(0)).all())
    True
    """
    drawn = words(len(exponents), rng)
    uniform, chances = np.ldexp(drawn.astype(np.float64), -64), np.exp(-exponents)
    heads = uniform < chances
    for index in np.flatnonzero(np.abs(uniform - chances) <= chances * _RELATIVE + _ABSOLUTE):
        heads[index] = LazyUniform(int(drawn[index]), rng).is_below(exact(int(index)))
    return heads


def _bracket(exponent: Fraction, bits: int) -> tuple[int, int]:
    """Integers that 2^bits · exp(-exponent) lies between."""
    if exponent == 0:
        return 2**bits, 2**bits
    if exponent > bits:
        return 0, 1
    with localcontext() as context:
        context.prec = bits // 3 + 10
        value = Fraction((-(Decimal(exponent.numerator) / Decimal(exponent.denominator))).exp())
        digits = context.prec
    error = value * (exponent + 2) * Fraction(10, 10**digits)  # of the quotient, times x; and of the exponential
    lower, upper = (value - error) * 2**bits, (value + error) * 2**bits
    return max(lower.numerator // lower.denominator, 0), -(-upper.numerator // upper.denominator)
