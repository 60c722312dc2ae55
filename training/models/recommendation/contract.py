"""What every recommendation algorithm is, and what comes out of it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions


class Fitted(Protocol):
    """A fit."""

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(len(users), tracks) of those users, higher is better; heard tracks have scores, too."""
        ...


class Model(Protocol):
    """An algorithm with its settings."""

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> Fitted:
        """Learn from the plays before the cutoff (µs since 1970 UTC) and from what is known of users and tracks."""
        ...


@dataclass(frozen=True)
class SameForAll:
    """One list of scores for everybody.

    Attributes:
        track: (tracks,) scores.
    """

    track: np.ndarray

    def scores(self, users: np.ndarray) -> np.ndarray:
        """The same row for each of them."""
        return np.broadcast_to(self.track, (len(users), len(self.track)))


@dataclass(frozen=True)
class FromHistory:
    """A table that tells of each track of a history what goes with it; it can be asked about anybody's history.

    Attributes:
        history: (users, tracks) how much each track of theirs asks.
        weights: (tracks, tracks) how strongly the column goes with the row; sparse or dense.
    """

    history: sparse.csr_array
    weights: sparse.csr_array | np.ndarray

    def ask(self, history: sparse.csr_array) -> np.ndarray:
        """Scores (n, tracks) of histories (n, tracks)."""
        found = history @ self.weights
        return found.toarray() if sparse.issparse(found) else np.asarray(found)

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Of their own histories."""
        return self.ask(self.history[users])


def strongest(weights: sparse.csr_array, count: int) -> sparse.csr_array:
    """The largest weights of each row, the way to itself left out."""
    weights = sparse.csr_array(weights)
    weights.setdiag(0)
    for row in range(weights.shape[0]):
        part = slice(weights.indptr[row], weights.indptr[row + 1])
        values = weights.data[part]
        if len(values) > count:
            weights.data[part] = np.where(values >= np.partition(values, -count)[-count], values, 0)
    weights.eliminate_zeros()
    return weights
