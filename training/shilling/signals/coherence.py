"""How well the tracks of a profile go together, by who else plays them: fillers that were drawn by lot do not.

The mean over pairs i, j of a profile of (n_ij − 1) / √(n_i n_j), with n the listeners of a track and of both; the
listener's own share is taken off. It is the mean likelihood of a filler under the co-occurrence of the others.
"""

import numpy as np
from scipy import sparse

FEWEST = 5
"""Fewest tracks of a profile that is judged."""
CELLS = 2**22
"""Pairs of listeners that are compared at a time."""


def coherence(played: sparse.csr_array) -> np.ndarray:
    """(n,) mean cosine of the pairs of tracks of each profile among other listeners; NaN for short profiles.

    Computed from listeners instead of pairs of tracks: Σ_ij n_ij/√(n_i n_j) = Σ_v (Σ_{i of both} n_i^-½)².

    Args:
        played: (listeners, tracks) 1 where a listener played a track.

    >>> coherence(sparse.csr_array(np.ones((3, 5)))).round(3).tolist()
    [0.667, 0.667, 0.667]
    """
    listeners = np.maximum(np.bincount(played.indices, minlength=played.shape[1]), 1)
    length = np.diff(played.indptr)
    scaled = sparse.csr_array(played @ sparse.diags_array(listeners**-0.5))
    by_track = sparse.csc_array(played.T)
    sums = np.zeros(played.shape[0])
    step = max(CELLS // max(played.shape[0], 1), 1)
    for first in range(0, played.shape[0], step):
        last = min(first + step, played.shape[0])
        shares = (scaled[first:last] @ by_track).toarray()
        shares[np.arange(last - first), np.arange(first, last)] = 0
        sums[first:last] = np.einsum("uv,uv->u", shares, shares)
    same_track = length - played @ (1.0 / listeners)  # pairs of a track with itself
    pairs = np.where(length >= FEWEST, length * (length - 1.0), np.nan)
    return np.asarray(np.maximum(sums - same_track, 0) / pairs)
