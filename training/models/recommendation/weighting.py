"""How much a play says: many say more than one, old ones less than new ones."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.interactions import Interactions

MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True)
class Weighting:
    """Plays to one weight for each listener and track.

    Attributes:
        logarithm: whether plays count, as log₂(1 + plays); else all pairs weigh the same.
        half_life_days: after this long a play counts half; none fade if None.
        recency: factor of a pair for each distinct track that the listener played after it; 1 for none.
    """

    logarithm: bool = False
    half_life_days: float | None = None
    recency: float = 1.0

    def matrix(self, seen: Interactions, cutoff: int) -> sparse.csr_array:
        """(users, tracks) float64.

        Args:
            seen: plays before the cutoff, in order of time.
            cutoff: µs since 1970 UTC.
        """
        fresh = seen.weight
        if self.half_life_days is not None:
            fresh = fresh * 0.5 ** ((cutoff - seen.time) / MICROSECONDS_A_DAY / self.half_life_days)
        summed = sparse.csr_array((fresh, (seen.user, seen.track)), shape=seen.shape)
        summed.sum_duplicates()
        if self.logarithm:
            summed.data = np.log2(1 + summed.data)
        elif self.half_life_days is None:
            summed.data[:] = 1
        if self.recency != 1:
            summed.data *= self.recency ** _back(seen, summed)
        return summed


def _back(seen: Interactions, pairs: sparse.csr_array) -> np.ndarray:
    """For each stored pair of a listener and a track, how many of their distinct tracks were played after it last."""
    last = sparse.csr_array(pairs, copy=True)
    keys = seen.user.astype(np.int64) * seen.shape[1] + seen.track
    order = np.arange(1, len(keys) + 1)
    rows = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))
    stored = rows * seen.shape[1] + pairs.indices
    place = np.zeros(len(stored), np.int64)
    np.maximum.at(place, np.searchsorted(stored, keys), order)
    last.data = place
    out = np.empty(len(stored))
    newest = np.lexsort((-place, rows))
    out[newest] = np.arange(len(stored)) - pairs.indptr[rows[newest]]
    return out
