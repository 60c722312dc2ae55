"""How well a track fits a listener, by two vectors: of collaborative filtering, or of content."""

import numpy as np


def taste_match(
    user_vector: np.ndarray, user_fit: np.ndarray, track_vector: np.ndarray, track_fit: np.ndarray
) -> dict[str, np.ndarray]:
    """Dot product of the two vectors; NaN where either is missing or they come from different fits.

    Args:
        user_vector: (n, d) float32.
        user_fit: (n,) identity of the fit that made ``user_vector``.
        track_vector: (n, d) float32.
        track_fit: (n,) identity of the fit that made ``track_vector``.

    >>> one = np.ones((1, 2), np.float32)
    >>> taste_match(one, np.array([7.0]), one, np.array([7.0]))["score"]
    array([2.])
    """
    if user_vector.shape[1] != track_vector.shape[1]:
        return {"score": np.full(len(user_vector), np.nan)}
    score = np.einsum("nd,nd->n", user_vector, track_vector, dtype=np.float64)
    return {"score": np.where(user_fit == track_fit, score, np.nan)}
