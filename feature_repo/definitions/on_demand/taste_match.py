"""How well a track fits a listener, by two vectors: of collaborative filtering, or of content."""

import numpy as np

from feature_repo.on_demand import OnDemand


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


TASTE_MATCH = OnDemand(
    "taste_match",
    taste_match,
    inputs={
        "user_vector": "user_taste__vector",
        "user_fit": "user_taste__fit",
        "track_vector": "track_taste__vector",
        "track_fit": "track_taste__fit",
    },
    outputs={"score": "Float64"},
)

CONTENT_MATCH = OnDemand(
    "content_match",
    taste_match,
    inputs={
        "user_vector": "user_content__vector",
        "user_fit": "user_content__fit",
        "track_vector": "track_content__vector",
        "track_fit": "track_content__fit",
    },
    outputs={"score": "Float64"},
)
