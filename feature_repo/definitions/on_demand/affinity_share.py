"""What part of a listener's plays an artist has."""

import numpy as np

from feature_repo.definitions.on_demand.popularity_share import share
from feature_repo.on_demand import OnDemand


def affinity_share(
    pair_7d: np.ndarray, pair_28d: np.ndarray, user_7d: np.ndarray, user_28d: np.ndarray
) -> dict[str, np.ndarray]:
    """Plays of this artist by this listener over all plays of this listener, by window.

    Args: four (n,) arrays of plays. NaN where the listener played nothing.
    """
    return {"share_7d": share(pair_7d, user_7d), "share_28d": share(pair_28d, user_28d)}


AFFINITY_SHARE = OnDemand(
    "affinity_share",
    affinity_share,
    inputs={
        "pair_7d": "user_artist_affinity__plays_7d",
        "pair_28d": "user_artist_affinity__plays_28d",
        "user_7d": "user_listening__plays_7d",
        "user_28d": "user_listening__plays_28d",
    },
    outputs={"share_7d": "Float64", "share_28d": "Float64"},
)
