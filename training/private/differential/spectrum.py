"""Repairs a noisy symmetric matrix: what its noise alone could have made is taken off its eigenvalues.

Noise of the Gaussian orthogonal ensemble with variance σ² on the diagonal and σ²/2 beside it has eigenvalues on a
semicircle of radius σ√(2n) (Wigner 1958; the largest converges to it, Füredi and Komlós 1981). An eigenvalue of the
matrix below half the radius says nothing and becomes 0, a larger one is lowered by as much. The radius follows from σ
and n, so that the repair costs no privacy. (The shrinkage of the least squared error, √(w² - radius²), is zero up to
the whole radius: where noise is large, lists of ten were worse by it.)
"""

import math
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class LowRank:
    """A positive semidefinite matrix V diag(w) Vᵀ.

    Attributes:
        values: (r,) w, above 0.
        vectors: (n, r) V, orthonormal columns.
        radius: radius of the semicircle of the noise.
        above: number of eigenvalues that were beyond the radius.
    """

    values: np.ndarray
    vectors: np.ndarray
    radius: float
    above: int


def radius_of(sigma: float, size: int) -> float:
    """Radius of the semicircle: about the largest eigenvalue of the noise.

    >>> radius_of(2.0, 50)
    20.0
    """
    return sigma * math.sqrt(2 * size)


def repair(matrix: np.ndarray, sigma: float) -> LowRank:
    """Repairs a matrix, bit for bit the same on any number of cores.

    Args:
        matrix: (n, n) symmetric, with noise.
        sigma: standard deviation of the noise of the diagonal; beside it, smaller by √2.

    >>> repair(np.diag([100.0, 1.0, 0.0]), 2.0).values.round(2).tolist()
    [97.55]
    """
    from scipy.linalg import eigh

    radius = radius_of(sigma, len(matrix))
    with threadpool_limits(1, user_api="blas"):
        values, vectors = eigh(matrix, subset_by_value=(radius / 2, np.inf))
    return LowRank(values - radius / 2, vectors, radius, int((values > radius).sum()))
