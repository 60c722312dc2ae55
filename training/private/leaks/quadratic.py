"""Membership from published matrices of pairs, with noise or without: how much of a person's pairs is in them.

As ``people_sums``, for matrices of (tracks, tracks) as a private model publishes them: the score of a person with the
row x is Σ_ij x_i x_j G_ij / v_ij, with the variances v of the worlds' matrices. Where noise dominates, v is that of the
noise, and the score is the most powerful test of G against G + xxᵀ. A world with and without a person differs by
Σ_ij x_i² x_j² / v_ij. What a person changes of a catalogue or of a noisy popularity is left out: it is published apart.
"""

import numpy as np
from scipy import sparse

from training.private.leaks.people_sums import SumScores


def scores(matrices: np.ndarray, rows: sparse.csr_array, is_in: np.ndarray, floor: float = 0.0) -> SumScores:
    """Scores all people in all worlds.

    Args:
        matrices: (worlds, tracks, tracks) what was published of XᵀX; NaN where it was not.
        rows: (people, tracks) rows x, of people in the world and of others.
        is_in: (worlds, people) who is in which world.
        floor: variance that is added, so that cells which are the same in all worlds are not infinitely telling.

    >>> rows = sparse.csr_array(np.eye(2))
    >>> published = np.array([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])])
    >>> found = scores(published, rows, np.eye(2, dtype=bool), 1.0)
    >>> (found.inside[0] - found.outside[0]).round(2).tolist()
    [0.8, 0.8]
    """
    is_known = ~np.isnan(matrices)
    count = np.maximum(is_known.sum(axis=0), 1)
    filled = np.where(is_known, matrices, 0.0)
    mean = filled.sum(axis=0) / count
    variance = np.where(is_known, (filled - mean) ** 2, 0).sum(axis=0) / count + floor
    weights = np.where(variance > 0, 1 / np.where(variance > 0, variance, 1.0), 0.0)
    squares = rows.multiply(rows)
    actual, own = np.empty(is_in.shape), np.empty(is_in.shape)
    for world, known in enumerate(is_known):
        used = weights * known
        actual[world] = rows.multiply(rows @ (filled[world] * used)).sum(axis=1)
        own[world] = squares.multiply(squares @ used).sum(axis=1)
    return SumScores(np.where(is_in, actual, actual + own), np.where(is_in, actual - own, actual))
