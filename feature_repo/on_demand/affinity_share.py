"""What part of a listener's plays an artist has."""

import numpy as np

from feature_repo.on_demand.popularity_share import share


def affinity_share(
    pair_7d: np.ndarray, pair_28d: np.ndarray, user_7d: np.ndarray, user_28d: np.ndarray
) -> dict[str, np.ndarray]:
    """Plays of this artist by this listener over all plays of this listener, by window.

    Args: four (n,) arrays of plays. NaN where the listener played nothing.
    """
    return {"share_7d": share(pair_7d, user_7d), "share_28d": share(pair_28d, user_28d)}
