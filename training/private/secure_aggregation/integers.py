"""Tables of whole numbers as words: two's complement, so that a sum modulo 2^64 is the true sum while it fits int64."""

import numpy as np

from feature_repo.errors import InputError
from training.exact.fixed_point import proven


def to_words(values: np.ndarray, bound: int, silos: int) -> np.ndarray:
    """(n,) uint64 words of a silo's values.

    Args:
        values: (n,) int64.
        bound: no value of any silo is larger in absolute value; the same number at every silo.
        silos: silos that may take part.

    Raises:
        InputError: the sum over all silos could reach 2^63, a value exceeds the bound, or the values are of another
            type.

    >>> total = to_words(np.array([5, -7]), 10, 2) + to_words(np.array([1, -3]), 10, 2)
    >>> to_integers(total).tolist()
    [6, -10]
    """
    proven(bound * silos, f"sums over {silos} silos")
    if values.dtype != np.int64 or values.ndim != 1:
        raise InputError(
            expected="one row of int64",
            found=f"{values.dtype} of shape {values.shape}",
            next_command="round weights first: training.exact.fixed_point.to_integers",
        )
    if len(values) and not (-bound <= int(values.min()) and int(values.max()) <= bound):
        raise InputError(
            expected=f"values of at most {bound} in absolute value",
            found=f"values from {values.min()} to {values.max()}",
            next_command="raise the bound at every silo, or bound what a person counts",
        )
    return values.view(np.uint64)


def to_integers(words: np.ndarray) -> np.ndarray:
    """(n,) int64 of a sum of words that was proven not to overflow."""
    return words.astype(np.uint64).view(np.int64)
