"""How a candidate was found: what retrieval says of it, which is told by the request."""

import numpy as np

from feature_repo.on_demand import OnDemand


def candidate_match(similar_score: np.ndarray, follows_score: np.ndarray) -> dict[str, np.ndarray]:
    """How much it goes with the listener's history, and follows their last plays; 0 where retrieval does not say.

    Args: two (n,) arrays of scores of ``transforms.pure.candidates``.
    """
    return {"similar": np.nan_to_num(similar_score), "follows": np.nan_to_num(follows_score)}


CANDIDATE_MATCH = OnDemand(
    "candidate_match",
    candidate_match,
    inputs={"similar_score": "similar_score", "follows_score": "follows_score"},
    outputs={"similar": "Float64", "follows": "Float64"},
    request={"similar_score": "Float64", "follows_score": "Float64"},
)
