"""Weights as whole multiples of a power of two, whose sums are exact in any order.

A weight w becomes the integer round(w · 2^bits); it is off by at most 2^-(bits + 1).
"""

import numpy as np

from feature_repo.errors import InputError

LIMIT = 2**63
"""Sums must stay below it in absolute value. Within it, int64 arithmetic modulo 2^64 gives the true sum."""


def to_integers(weights: np.ndarray, bits: int) -> np.ndarray:
    """(n,) int64 multiples of 2^-bits, rounded to the nearest, halves to even.

    Raises:
        InputError: a weight is not a finite number, or is too large.

    >>> to_integers(np.array([1.0, 0.3, -2.0]), 4)
    array([ 16,   5, -32])
    """
    scaled = np.ldexp(np.asarray(weights, np.float64), bits)
    largest = float(np.abs(scaled).max(initial=0.0))
    if not largest < LIMIT:  # also if it is not a number
        raise InputError(
            expected=f"finite weights below 2^{63 - bits}",
            found=f"{np.ldexp(largest, -bits):g}",
            next_command="refrain doctor  (a weight of plays is out of range)",
        )
    return np.rint(scaled).astype(np.int64)


def to_floats(integers: np.ndarray, bits: int) -> np.ndarray:
    """(n,) float64 of multiples of 2^-bits; exact up to 2^53, above it rounded once.

    >>> to_floats(np.array([16, 5]), 4)
    array([1.    , 0.3125])
    """
    return np.asarray(np.ldexp(np.asarray(integers).astype(np.float64), -bits))


def proven(bound: int, what: str) -> int:
    """Returns a bound of the absolute values of a table's cells, if no cell can overflow.

    Raises:
        InputError: a cell could.

    >>> proven(3 * 2**40, "plays") == 3 * 2**40
    True
    """
    if bound >= LIMIT:
        raise InputError(
            expected=f"{what} below 2^63, so that their sums are exact",
            found=f"a bound of 2^{bound.bit_length() - 1} or more",
            next_command="refrain model run recommendation  (on fewer days, or with fewer listeners)",
        )
    return bound
