"""Scores of EASE with and without each person, from one inverse a world.

EASE inverts P = (XᵀX + λI)⁻¹. Adding a person with history x is a change of rank one (J. Sherman and W. J. Morrison,
Annals of Mathematical Statistics 1950):

    (P⁻¹ + xxᵀ)⁻¹ = P − uuᵀ / (1 + xᵀu),  u = Px

and subtracting one the same with other signs. Of the weights B_ij = −P_ij / P_jj a listener's own score of track j, of
which j itself is no part, is Σ_i x_i B_ij = x_j − (Px)_j / P_jj. It needs u and the diagonal alone, so that a world is
a shadow model with every person, and one without, for one inverse and one product.
"""

import numpy as np
from scipy import sparse

from training.exact.solve import inverse
from training.private.leaks.lira import logit


def own_scores(
    products: np.ndarray, rows: sparse.csr_array, is_in: np.ndarray, regularization: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean score of each person's own tracks by EASE, had the person been in the world, and had the person not.

    Args:
        products: (tracks, tracks) XᵀX of the people in the world.
        rows: (people, tracks) histories, of people in the world and of others.
        is_in: (people,) who is in the world.
        regularization: λ.

    Returns:
        (people,) mean scores with the person, and (people,) without; 0 for people without tracks.

    Raises:
        LinAlgError: the products are of no people, as after noise that is larger than λ.

    >>> rows = sparse.csr_array(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]))
    >>> inside, outside = own_scores((rows.T @ rows).toarray(), rows, np.array([True, True]), 1.0)
    >>> bool((inside > outside).all())
    True
    """
    matrix = np.asarray(products, np.float64).copy()
    matrix[np.diag_indices_from(matrix)] += regularization
    inverted = inverse(matrix)
    images = rows @ inverted  # (people, tracks): u of each person
    people = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    own_images = images[people, rows.indices]
    norm = np.bincount(people, rows.data * own_images, minlength=rows.shape[0])  # xᵀPx
    diagonal = np.diag(inverted)[rows.indices]
    sign = np.where(is_in, -1.0, 1.0)  # those inside are subtracted, the others are added
    factor = 1 / (sign + norm)
    changed_image = own_images - norm[people] * factor[people] * own_images
    changed_diagonal = diagonal - factor[people] * own_images**2
    actual = _means(rows.data - own_images / diagonal, people, rows)
    changed = _means(rows.data - changed_image / changed_diagonal, people, rows)
    return np.where(is_in, actual, changed), np.where(is_in, changed, actual)


def confidences(
    products: np.ndarray, rows: sparse.csr_array, is_in: np.ndarray, regularization: float
) -> tuple[np.ndarray, np.ndarray]:
    """The same scores, logit-scaled, as ``lira.attack`` takes them."""
    inside, outside = own_scores(products, rows, is_in, regularization)
    return logit(inside), logit(outside)


def _means(values: np.ndarray, people: np.ndarray, rows: sparse.csr_array) -> np.ndarray:
    count = np.maximum(np.diff(rows.indptr), 1)
    return np.asarray(np.bincount(people, values, minlength=rows.shape[0]) / count)
