"""How often tracks are shown: the real listeners in whose first ten unheard tracks each of them is.

The growth of a target's exposure is after / max(before, floor). The floor is for targets that hardly anybody is shown:
the larger of the median exposure of the tracks in the target's popularity band and of a fair share, the listeners that
each track would have if lists were drawn by lot (10 · listeners / tracks).
"""

import numpy as np
from scipy import sparse

from training.models.recommendation.contract import Fitted

DEPTH, BATCH = 10, 256
BANDS = ((1, 2), (3, 5), (6, 10), (11, 20), (21, 40), (41, 80), (81, 160), (161, 2**62))
"""Popularity bands: numbers of listeners, both ends included."""


def exposures(fit: Fitted, played: sparse.csr_array) -> np.ndarray:
    """(tracks,) number of listeners in whose first ten a track is; of equal scores the first track comes first.

    Args:
        fit: a model whose first listeners are the real ones.
        played: (real listeners, tracks) what they played, which is not shown.
    """
    counts = np.zeros(played.shape[1], np.int64)
    for lists in first_ten(fit, played):
        counts += np.bincount(lists.ravel(), minlength=played.shape[1])
    return counts


def first_ten(fit: Fitted, played: sparse.csr_array) -> list[np.ndarray]:
    """Blocks of (listeners, 10) tracks, best first."""
    blocks = []
    depth = min(DEPTH, played.shape[1])
    for first in range(0, played.shape[0], BATCH):
        rows = played[first : first + BATCH]
        scores = np.array(fit.scores(np.arange(first, first + rows.shape[0])), np.float32)
        scores[rows.nonzero()] = -np.inf
        candidates = np.sort(np.argpartition(-scores, depth - 1, axis=1)[:, :depth], axis=1)
        order = np.argsort(-np.take_along_axis(scores, candidates, axis=1), axis=1, kind="stable")
        blocks.append(np.take_along_axis(candidates, order, axis=1))
    return blocks


def floors(before: np.ndarray, listeners: np.ndarray, people: int) -> np.ndarray:
    """(tracks,) exposure below which a target's own exposure is no measure.

    Args:
        before: (tracks,) exposures without an attack.
        listeners: (tracks,) listeners of each track.
        people: number of real listeners.

    >>> floors(np.array([0, 0, 6]), np.array([1, 1, 4]), 30).tolist()
    [100.0, 100.0, 100.0]
    """
    fair = DEPTH * people / max(len(before), 1)
    floor = np.full(len(before), fair)
    for low, high in BANDS:
        band = (listeners >= low) & (listeners <= high)
        if band.any():
            floor[band] = max(fair, float(np.median(before[band])))
    return floor
