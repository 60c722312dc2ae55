"""Item-kNN: tracks played by the same people are alike.

Cosine similarity with shrinkage, the nearest neighbours of each track kept (Deshpande, Karypis: Item-based top-N
recommendation algorithms, TOIS 2004).
"""

import numpy as np

from training.datasets.interactions import Interactions
from training.models.recommendation.ease import binary


def fit(interactions: Interactions, cutoff: int, *, neighbours: int = 100, shrinkage: float = 10.0) -> np.ndarray:
    """Scores from the plays before the cutoff.

    Args:
        interactions: all plays; repeated ones count once.
        cutoff: µs since 1970 UTC.
        neighbours: how many similar tracks count for each track.
        shrinkage: added to the denominator, so that rare pairs count less.

    Returns:
        (users, tracks) float64.
    """
    played = binary(interactions.before(cutoff))
    together = (played.T @ played).toarray()
    norms = np.sqrt(np.diag(together))
    similarity = together / (np.outer(norms, norms) + shrinkage)
    np.fill_diagonal(similarity, 0)
    if neighbours < len(similarity):
        threshold = np.partition(similarity, -neighbours, axis=1)[:, -neighbours]
        similarity[similarity < threshold[:, None]] = 0
    return played @ similarity.T
