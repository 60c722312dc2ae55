"""How alike a listener's tracks are to those of other accounts: copies, and accounts that were filled from one list.

Two profiles u, v are alike by Σ_{tracks of both} g / (√(G_u G_v) + SLACK), where g = ln(listeners / listeners of the
track) is what a track says about a person and G the sum over a profile: a cosine by inverse document frequency, less
for profiles that say little. Detection by the neighbours' similarity goes back to Chirita, Nejdl, Zamfir: Preventing
Shilling Attacks in Online Recommender Systems (WIDM 2005).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

SLACK = 10.0
"""Nats: about two rare tracks. Profiles of one or two tracks are never much alike."""
CROWD = 5
"""Number of the most similar accounts that make a crowd."""
CELLS = 2**22
"""Pairs of listeners that are compared at a time."""
MOST_SHARED = 2_000
"""A track of more listeners is not compared: it says little about a person, and its pairs are too many."""


@dataclass(frozen=True)
class Likeness:
    """Likeness of each listener to other accounts.

    Attributes:
        nearest: (n,) likeness to the most similar other account, 0 … 1.
        crowd: (n,) mean likeness to the ``CROWD`` most similar ones.
        neighbour: (n,) number of the most similar account; -1 for none.
    """

    nearest: np.ndarray
    crowd: np.ndarray
    neighbour: np.ndarray


def likeness(played: sparse.csr_array) -> Likeness:
    """Compares every profile with all others.

    Args:
        played: (listeners, tracks) 1 where a listener played a track.

    >>> likeness(sparse.csr_array(np.kron(np.eye(3), np.ones((2, 9))))).nearest.round(2).tolist()
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    """
    people = played.shape[0]
    listeners = np.bincount(played.indices, minlength=played.shape[1])
    said = np.log(max(people, 1) / np.maximum(listeners, 1))
    total = np.sqrt(played @ said)
    compared = np.where(listeners <= MOST_SHARED, said, 0.0)
    weighted = sparse.csr_array(played @ sparse.diags_array(compared))
    by_track = sparse.csc_array(played.T)
    nearest, crowd, neighbour = np.zeros(people), np.zeros(people), np.full(people, -1)
    size = min(CROWD, people - 1)
    step = max(CELLS // max(people, 1), 1)
    for first in range(0, people if size > 0 else 0, step):
        last = min(first + step, people)
        block = (weighted[first:last] @ by_track).toarray() / (np.outer(total[first:last], total) + SLACK)
        block[np.arange(last - first), np.arange(first, last)] = -1
        top = -np.partition(-block, size - 1, axis=1)[:, :size]
        nearest[first:last], crowd[first:last] = top.max(axis=1), top.mean(axis=1)
        neighbour[first:last] = np.where(nearest[first:last] > 0, block.argmax(axis=1), -1)
    return Likeness(nearest, crowd, neighbour)
