"""Walks from a track over the people who play it to their other tracks. RP3beta is solved from them."""

import numpy as np
from scipy import sparse

from training.exact.fixed_point import to_integers
from training.exact.sums import Sums, Table

WALKS, LISTENERS = "walks", "listeners"
BITS = 40
"""Bits after the point of a step's probability: off by at most 2^-41."""


def count(played: sparse.csr_array, alpha: float) -> Sums:
    """Σ over people of 1 / tracks^α for each pair of their tracks, and the number of people of each track.

    Args:
        played: (people, tracks) 1 where a person played a track.
        alpha: exponent of the step's probability.

    Raises:
        InputError: a cell could overflow, as from eight million people on.
    """
    degree = np.maximum(np.diff(played.indptr), 1)
    step = to_integers(degree.astype(np.float64) ** -alpha, BITS)
    edges = sparse.csr_array((np.ones(played.nnz, np.int64), played.indices, played.indptr), played.shape)
    people = int((np.diff(played.indptr) > 0).sum())
    bound = people * int(step.max(initial=0))
    Table.of(sparse.csr_array((1, 1)), bound, WALKS)
    walks = edges.T @ sparse.csr_array(
        (np.repeat(step, np.diff(played.indptr)), played.indices, played.indptr), played.shape
    )
    listeners = sparse.csr_array(np.bincount(played.indices, minlength=played.shape[1])[None, :])
    return Sums({WALKS: Table.of(walks, bound, WALKS), LISTENERS: Table.of(listeners, people, LISTENERS)})
