"""XᵀX of people, each pair of tracks with noise: how much two tracks are played by the same people.

A person's row r has length S = 2^bits at most (``unit_rows``). Each cell above the diagonal gets discrete Gaussian
noise of σ, each cell of the diagonal of √2 σ, and the lower triangle mirrors the upper. A person costs, for all sums,

    Σ_{i<j} (rᵢrⱼ)² / (2σ²) + Σᵢ (rᵢ²)² / (4σ²) = (Σᵢ rᵢ²)² / (4σ²) ≤ S⁴ / (4σ²) = ρ,

the same for everybody, whatever is in the row. In units of S², noise of the diagonal has σ' = 1/√(2ρ), as if the matrix
were one vector of length 1, and the mirrored cells cost half. (Noise of one σ on the triangle would have to be larger,
for a person with a single track.) Such a matrix is of the Gaussian orthogonal ensemble, whose eigenvalues are known:
see ``spectrum``.
"""

import math

import numpy as np
from scipy import sparse

from training.exact import gram
from training.private.differential import noise, zcdp


def count(rows: sparse.csr_array, bits: int, rho: float, rng: np.random.Generator | None = None) -> np.ndarray:
    """Returns (tracks, tracks) int64 XᵀX with noise, symmetric, in units of 4^-bits, at a cost of ρ.

    Args:
        rows: (people, tracks) of ``unit_rows``.
        bits: bits after the point of the rows.
        rho: the cost.
        rng: a seeded generator, in tests; None for the operating system's randomness.

    Raises:
        InputError: a cell could overflow.
    """
    tracks, unit = rows.shape[1], 4.0**bits
    sigma = zcdp.sigma_of(rho, unit / math.sqrt(2))
    diagonal = zcdp.sigma_of(rho, unit)
    sums = gram.count(rows)[gram.NAME].toarray()
    upper = np.triu_indices(tracks, 1)
    sums[upper] += noise.integers(len(upper[0]), sigma, rng)
    sums[np.diag_indices(tracks)] += noise.integers(tracks, diagonal, rng)
    return np.asarray(np.triu(sums) + np.triu(sums, 1).T)


def sigma_of(rho: float) -> float:
    """σ of the noise of the diagonal, for rows of length 1; beside it, noise is smaller by √2.

    >>> sigma_of(0.5)
    1.0
    """
    return zcdp.sigma_of(rho, 1.0)
