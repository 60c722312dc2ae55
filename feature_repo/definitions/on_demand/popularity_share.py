"""What part of all listening a track has: popularity that does not grow with the service, nor with a few accounts."""

import numpy as np

from feature_repo.on_demand import OnDemand

MOST_PLAYS = 10
"""Plays of a track that count for each of its listeners, so that a few accounts that repeat it count for little."""


def popularity_share(
    track_1d: np.ndarray,
    track_7d: np.ndarray,
    track_28d: np.ndarray,
    all_1d: np.ndarray,
    all_7d: np.ndarray,
    all_28d: np.ndarray,
    listeners_1d: np.ndarray,
    listeners_7d: np.ndarray,
    listeners_28d: np.ndarray,
) -> dict[str, np.ndarray]:
    """Plays of the track over plays of everything, by window; a track without plays has 0.

    At most ``MOST_PLAYS`` for each listener count of the track's plays.

    Args: six (n,) arrays of plays, NaN where nothing at all was played, and three of the track's distinct listeners.
    """
    windows = {
        "share_1d": (track_1d, listeners_1d, all_1d),
        "share_7d": (track_7d, listeners_7d, all_7d),
        "share_28d": (track_28d, listeners_28d, all_28d),
    }
    return {
        name: share(np.fmin(plays, MOST_PLAYS * listeners), whole)
        for name, (plays, listeners, whole) in windows.items()
    }


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``; a missing part is 0, a missing or zero whole gives NaN."""
    out = np.full(len(part), np.nan)
    np.divide(np.nan_to_num(part), whole, out=out, where=whole > 0)
    return out


POPULARITY_SHARE = OnDemand(
    "popularity_share",
    popularity_share,
    inputs={
        "track_1d": "track_popularity__plays_1d",
        "track_7d": "track_popularity__plays_7d",
        "track_28d": "track_popularity__plays_28d",
        "all_1d": "platform_activity__plays_1d",
        "all_7d": "platform_activity__plays_7d",
        "all_28d": "platform_activity__plays_28d",
        "listeners_1d": "track_popularity__listeners_1d",
        "listeners_7d": "track_popularity__listeners_7d",
        "listeners_28d": "track_popularity__listeners_28d",
    },
    outputs={"share_1d": "Float64", "share_7d": "Float64", "share_28d": "Float64"},
)
