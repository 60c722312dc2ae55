"""How a candidate was found: what retrieval says of it, which is told by the request."""

import numpy as np


def candidate_match(similar_score: np.ndarray, follows_score: np.ndarray) -> dict[str, np.ndarray]:
    """How much it goes with the listener's history, and follows their last plays; 0 where retrieval does not say.

    Args: two (n,) arrays of scores of ``transforms.pure.candidates``.
    """
    return {"similar": np.nan_to_num(similar_score), "follows": np.nan_to_num(follows_score)}
