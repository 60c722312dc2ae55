"""Popularity: the same tracks for everybody."""

import numpy as np

from training.datasets.interactions import Interactions

MICROSECONDS_A_DAY = 86_400_000_000


def fit(interactions: Interactions, cutoff: int, *, days: float | None = None) -> np.ndarray:
    """Plays of each track before the cutoff.

    Args:
        interactions: all plays.
        cutoff: µs since 1970 UTC.
        days: count only this many days before the cutoff; everything if None.

    Returns:
        (tracks,) float64 counts.
    """
    seen = interactions.before(cutoff)
    if days is not None:
        seen = seen.between(cutoff - round(days * MICROSECONDS_A_DAY), cutoff)
    return np.bincount(seen.track, minlength=interactions.shape[1]).astype(float)
