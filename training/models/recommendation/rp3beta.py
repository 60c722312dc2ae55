"""RP3beta: a random walk of three steps from a listener to tracks, popular ones held back.

Paudel, Christoffel, Newell, Bernstein: Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive
Applications (TiiS 2016): P³α with the transition probabilities raised to α, divided by popularity to the β.
"""

import numpy as np
from scipy import sparse

from training.datasets.interactions import Interactions
from training.models.recommendation.ease import binary


def fit(
    interactions: Interactions, cutoff: int, *, alpha: float = 1.0, beta: float = 0.6, neighbours: int = 200
) -> np.ndarray:
    """Scores from the plays before the cutoff.

    Args:
        interactions: all plays; repeated ones count once.
        cutoff: µs since 1970 UTC.
        alpha: exponent of each step's probability.
        beta: exponent of a track's number of listeners, which divides its score.
        neighbours: tracks that are kept of those that the last two steps reach from each track.

    Returns:
        (users, tracks) float64.
    """
    played = binary(interactions.before(cutoff))
    to_track, to_user = _steps(played, alpha), _steps(played.T.tocsr(), alpha)
    popularity = np.maximum(np.asarray(played.sum(axis=0)).ravel(), 1.0)
    reached = (to_user @ to_track).tocsr()
    reached = _strongest(reached @ sparse.diags_array(popularity**-beta), neighbours)
    return np.asarray((to_track @ reached).todense())


def _steps(edges: sparse.csr_matrix, alpha: float) -> sparse.csr_matrix:
    """Probabilities of going from a row to one of its columns, raised to α."""
    degree = np.maximum(np.asarray(edges.sum(axis=1)).ravel(), 1.0)
    return (sparse.diags_array(degree**-alpha) @ edges).tocsr()


def _strongest(weights: sparse.csr_array, count: int) -> sparse.csr_array:
    """The largest weights of each row, the way back to itself left out."""
    weights = sparse.csr_array(weights)
    weights.setdiag(0)
    for row in range(weights.shape[0]):
        part = slice(weights.indptr[row], weights.indptr[row + 1])
        values = weights.data[part]
        if len(values) > count:
            weights.data[part] = np.where(values >= np.partition(values, -count)[-count], values, 0)
    weights.eliminate_zeros()
    return weights
