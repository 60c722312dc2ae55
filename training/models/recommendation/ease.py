"""EASE: a linear item-item model in closed form.

Steck: Embarrassingly Shallow Autoencoders for Sparse Data (WWW 2019). Solved on the side that is smaller: with X
(users, tracks) and λ, the paper inverts P = (XᵀX + λI)⁻¹ of the tracks; since XP = (XXᵀ + λI)⁻¹X, the users' side gives
the same scores without a matrix of tracks by tracks. Memory grows with the square of the smaller number.
"""

import numpy as np
from scipy import sparse

from training.datasets.interactions import Interactions


def fit(interactions: Interactions, cutoff: int, *, regularization: float = 200.0) -> np.ndarray:
    """Scores from the plays before the cutoff.

    Args:
        interactions: all plays; repeated ones count once.
        cutoff: µs since 1970 UTC.
        regularization: λ of the paper.

    Returns:
        (users, tracks) float64.
    """
    played = binary(interactions.before(cutoff))
    users, tracks = played.shape
    return primal(played, regularization) if tracks <= users else dual(played, regularization)


def primal(played: sparse.csr_matrix, regularization: float) -> np.ndarray:
    """By the inverse of a matrix (tracks, tracks)."""
    gram = (played.T @ played).toarray()
    gram[np.diag_indices_from(gram)] += regularization
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return played @ weights


def dual(played: sparse.csr_matrix, regularization: float) -> np.ndarray:
    """By the inverse of a matrix (users, users): scores X − (XP) / diag P, with XP = (XXᵀ + λI)⁻¹X."""
    kernel = (played @ played.T).toarray()
    kernel[np.diag_indices_from(kernel)] += regularization
    product = played.T.dot(np.linalg.inv(kernel)).T  # the kernel is symmetric
    diagonal = (1 - np.asarray(played.multiply(product).sum(axis=0)).ravel()) / regularization
    product /= -diagonal
    rows, columns = played.nonzero()
    product[rows, columns] += 1
    return product


def binary(seen: Interactions) -> sparse.csr_matrix:
    """(users, tracks) with 1 where there is any play."""
    played = sparse.csr_matrix((np.ones(len(seen.user)), (seen.user, seen.track)), shape=seen.shape)
    played.data[:] = 1
    return played
