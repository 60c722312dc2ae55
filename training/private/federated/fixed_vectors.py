"""Vectors of floats as integers of a round: clipped, rounded to multiples of 2^-bits, summed exactly."""

import numpy as np

from feature_repo.errors import InputError
from training.exact.fixed_point import proven, to_integers
from training.private.federated.agreement import MOST_SILOS

BITS = 24
"""Bits after the point of updates: off by at most 2^-25."""


def clipped(vector: np.ndarray, most: float) -> np.ndarray:
    """A vector of at most this length (L2), in the same direction.

    Raises:
        InputError: a component is not a finite number; such an update would spoil the sum of everybody.

    >>> clipped(np.array([3.0, 4.0]), 2.5).tolist()
    [1.5, 2.0]
    """
    if not np.isfinite(vector).all():
        raise InputError(
            expected="an update of finite numbers",
            found="NaN or infinity: the own training diverged",
            next_command="refrain doctor  (features out of range), or a smaller rate in the terms",
        )
    length = float(np.linalg.norm(vector))
    return np.asarray(vector * min(1.0, most / length) if length else vector)


def to_words(vector: np.ndarray, weight: int, bits: int = BITS) -> np.ndarray:
    """(n + 1,) uint64: a vector times a whole weight, and the weight itself.

    Raises:
        InputError: the sum of as many silos as there may be could overflow.

    >>> to_vector(to_words(np.array([0.5, -1.0]), 3) + to_words(np.array([2.0, 1.0]), 1))
    (array([ 0.875, -0.5  ]), 4)
    """
    units = to_integers(vector, bits)
    proven(MOST_SILOS * max(int(np.abs(units).max(initial=0)), 1) * weight, "updates")
    return np.append(units * weight, weight).astype(np.int64).view(np.uint64)


def to_vector(words: np.ndarray, bits: int = BITS) -> tuple[np.ndarray, int]:
    """The mean of the vectors, each with its weight, and the sum of the weights; zeros if that is 0."""
    values = words.view(np.int64)
    weight = int(values[-1])
    return np.ldexp(values[:-1].astype(np.float64), -bits) / max(weight, 1), weight
