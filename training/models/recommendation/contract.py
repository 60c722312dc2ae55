"""Interfaces of recommendation algorithms and of their fits."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions


class Fitted(Protocol):
    """A fitted recommendation model."""

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores all tracks for users: (len(users), tracks), higher is better; heard tracks are scored, too."""
        ...


class Model(Protocol):
    """A recommendation algorithm with its settings."""

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> Fitted:
        """Learns from the plays before the cutoff (µs since 1970 UTC) and from attributes of users and tracks."""
        ...


@dataclass(frozen=True)
class SameForAll:
    """A fit with the same scores for every user.

    Attributes:
        track: (tracks,) score of each track.
    """

    track: np.ndarray

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Repeats the same row of scores for every user."""
        return np.broadcast_to(self.track, (len(users), len(self.track)))


@dataclass(frozen=True)
class FromHistory:
    """An item-item model: scores are a listener's weighted history times a matrix of track-to-track weights.

    Attributes:
        history: (users, tracks) weight of each track in a user's history.
        weights: (tracks, tracks) strength with which a track (row) recommends another (column); sparse or dense.
    """

    history: sparse.csr_array
    weights: sparse.csr_array | np.ndarray

    def score_histories(self, history: sparse.csr_array) -> np.ndarray:
        """Scores all tracks for histories: (n, tracks) → (n, tracks)."""
        scores = history @ self.weights
        return scores.toarray() if sparse.issparse(scores) else np.asarray(scores)

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores all tracks for the users' own histories: (len(users), tracks)."""
        return self.score_histories(self.history[users])


def strongest(weights: sparse.csr_array, count: int) -> sparse.csr_array:
    """Keeps the ``count`` largest weights of each row; the diagonal is dropped."""
    weights = sparse.csr_array(weights)
    weights.setdiag(0)
    for row in range(weights.shape[0]):
        part = slice(weights.indptr[row], weights.indptr[row + 1])
        values = weights.data[part]
        if len(values) > count:
            weights.data[part] = np.where(values >= np.partition(values, -count)[-count], values, 0)
    weights.eliminate_zeros()
    return weights
