"""Logistic regression from private sums: of second order in the log-odds, it needs nothing but zᵀz and zᵀy.

Near 0, log(1 + exp(-ys)) = log 2 - ys/2 + s²/8 + …, so that the weights solve (Σ zzᵀ/4 + λI) w = Σ yz/2 with y of ±1
(Huggins, Adams and Broderick, PASS-GLM, NeurIPS 2017, of degree 2; noise on such sums: Vu and Slavkovic 2009). A person
adds the means over their rows of zzᵀ and of yz, with rows of length 1 at most: a matrix and a vector of length 1 each.
"""

import math
from dataclasses import dataclass

import numpy as np

from training.private.differential import noise, zcdp
from training.private.differential.spectrum import radius_of

BITS = 24


@dataclass(frozen=True)
class PrivateLogistic:
    """A fitted model.

    Attributes:
        weights: (d + 1,) weights of the scaled columns and of a constant.
        low: (d,) least value of each column.
        high: (d,) largest value of each column.
    """

    weights: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predicts (n,) chances of yes."""
        return np.asarray(1 / (1 + np.exp(-_scaled(inputs, self.low, self.high) @ self.weights)))


def fit(
    inputs: np.ndarray,
    answers: np.ndarray,
    people: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    rho: float,
    rng: np.random.Generator | None = None,
) -> PrivateLogistic:
    """Fits a logistic regression at a cost of ρ.

    Args:
        inputs: (n, d) columns; what is missing counts as the middle of the bounds.
        answers: (n,) 0 or 1.
        people: (n,) person of each row.
        bounds: (d,) least and (d,) largest value of each column, known beforehand.
        rho: the cost.
        rng: a seeded generator, in tests; None for the operating system's randomness.
    """
    rows = _scaled(inputs, *bounds)
    signs = np.where(np.asarray(answers) > 0, 1.0, -1.0)
    names, person = np.unique(people, return_inverse=True)
    counts = np.bincount(person, minlength=len(names))
    width = rows.shape[1]
    upper = np.triu_indices(width)
    root = np.where(upper[0] == upper[1], 1.0, math.sqrt(2))  # mirrored cells count twice in the length
    shares = np.concatenate([rows[:, upper[0]] * rows[:, upper[1]] * root, rows * signs[:, None]], axis=1)
    means = np.zeros((len(names), shares.shape[1]))
    np.add.at(means, person, shares / counts[person][:, None])
    sigma = zcdp.sigma_of(rho, math.sqrt(2.0) * 2**BITS)
    # truncation makes no person's share longer
    total = np.trunc(np.ldexp(means, BITS)).astype(np.int64).sum(axis=0) + noise.integers(means.shape[1], sigma, rng)
    sums = np.ldexp(total.astype(np.float64), -BITS)
    matrix = np.zeros((width, width))
    matrix[upper] = sums[: len(root)] / root
    matrix = matrix + np.triu(matrix, 1).T
    radius = radius_of(sigma / 2**BITS, width)
    values, vectors = np.linalg.eigh(matrix)
    inverse = (vectors / (np.maximum(values, 0) / 4 + radius / 4 + 1e-9)) @ vectors.T
    return PrivateLogistic(inverse @ sums[len(root) :] / 2, *(np.asarray(bound, float) for bound in bounds))


def _scaled(inputs: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(n, d + 1) columns within -1 and 1 and a constant, over √(d + 1): no row is longer than 1."""
    half = np.where(high > low, (np.asarray(high, float) - low) / 2, 1.0)
    scaled = np.clip((np.asarray(inputs, float) - (np.asarray(high, float) + low) / 2) / half, -1, 1)
    scaled = np.nan_to_num(scaled, nan=0.0)
    return np.concatenate([scaled, np.ones((len(scaled), 1))], axis=1) / math.sqrt(scaled.shape[1] + 1)
