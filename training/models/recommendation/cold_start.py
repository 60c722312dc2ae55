"""Vectors for tracks that nobody has played, from what describes them.

A ridge regression from attributes to the vectors of tracks that were played, those with more listeners counting more
(attribute-to-feature mapping: Gantner, Drumond, Freudenthaler, Rendle, Schmidt-Thieme: Learning Attribute-to-Feature
Mappings for Cold-Start Recommendations, ICDM 2010).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

MOST_LISTENERS = 20.0


@dataclass(frozen=True)
class Mapping:
    """From attributes to vectors.

    Attributes:
        used: (b,) places of the attributes that take part.
        weights: (used + 2, factors); the last rows are of how much is told, and of 1.
    """

    used: np.ndarray
    weights: np.ndarray

    def vectors(self, described: sparse.csr_array, told: np.ndarray) -> np.ndarray:
        """(n, factors) float32 of n tracks.

        Args:
            described: (n, b) by tf-idf, rows of length one.
            told: (n,) total of each track's attributes.
        """
        return np.asarray(inputs(described[:, self.used], told) @ self.weights, np.float32)


@dataclass(frozen=True)
class ColdStart:
    """Settings.

    Attributes:
        regularization: of the regression.
        fewest: tracks that an attribute must describe to take part.
    """

    regularization: float = 10.0
    fewest: int = 5

    def fit(self, described: sparse.csr_array, told: np.ndarray, vectors: np.ndarray, listeners: np.ndarray) -> Mapping:
        """Learn from tracks that were played.

        Args:
            described: (tracks, b) by tf-idf, rows of length one.
            told: (tracks,) total of each track's attributes.
            vectors: (tracks, factors) of collaborative filtering; zero where there is none.
            listeners: (tracks,) of each track before the cutoff.
        """
        known = np.flatnonzero((listeners > 0) & np.any(vectors != 0, axis=1))
        used = np.flatnonzero(np.bincount(described.indices, minlength=described.shape[1]) >= self.fewest)
        rows = inputs(described[known][:, used], told[known])
        counted = sparse.csr_array(rows.T @ sparse.diags_array(np.minimum(listeners[known], MOST_LISTENERS)))
        gram = (counted @ rows).toarray() + self.regularization * np.eye(rows.shape[1])
        return Mapping(used, np.linalg.solve(gram, counted @ vectors[known].astype(np.float64)))


def inputs(described: sparse.csr_array, told: np.ndarray) -> sparse.csr_array:
    """(n, b + 2): attributes, a fifth of log(1 + how much is told), 1."""
    more = np.column_stack([0.2 * np.log1p(told), np.ones(len(told))])
    return sparse.csr_array(sparse.hstack([described, more]))
