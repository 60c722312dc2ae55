"""Vectors of tracks without plays, mapped from their attributes.

A ridge regression from attributes to the vectors of played tracks, weighted by their number of listeners
(attribute-to-feature mapping: Gantner, Drumond, Freudenthaler, Rendle, Schmidt-Thieme: Learning Attribute-to-Feature
Mappings for Cold-Start Recommendations, ICDM 2010).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

MOST_LISTENERS = 20.0


@dataclass(frozen=True)
class Mapping:
    """A linear map from attributes to vectors.

    Attributes:
        used: (b,) columns of the attributes that are used.
        weights: (used + 2, factors) coefficients; the last two rows are those of the attribute total and the intercept.
    """

    used: np.ndarray
    weights: np.ndarray

    def vectors(self, described: sparse.csr_array, attribute_totals: np.ndarray) -> np.ndarray:
        """Maps n tracks to vectors, (n, factors) float32.

        Args:
            described: (n, b) tf-idf of the attributes, rows of length one.
            attribute_totals: (n,) total of each track's attributes.
        """
        return np.asarray(inputs(described[:, self.used], attribute_totals) @ self.weights, np.float32)


@dataclass(frozen=True)
class ColdStart:
    """Settings of the cold-start regression.

    Attributes:
        regularization: ridge penalty of the regression.
        min_tracks: number of tracks that must have an attribute for it to be used.
    """

    regularization: float = 10.0
    min_tracks: int = 5

    def fit(
        self, described: sparse.csr_array, attribute_totals: np.ndarray, vectors: np.ndarray, listeners: np.ndarray
    ) -> Mapping:
        """Learns from tracks that were played.

        Args:
            described: (tracks, b) tf-idf of the attributes, rows of length one.
            attribute_totals: (tracks,) total of each track's attributes.
            vectors: (tracks, factors) collaborative-filtering vectors; zero for tracks without one.
            listeners: (tracks,) number of listeners before the cutoff.
        """
        played = np.flatnonzero((listeners > 0) & np.any(vectors != 0, axis=1))
        used = np.flatnonzero(np.bincount(described.indices, minlength=described.shape[1]) >= self.min_tracks)
        rows = inputs(described[played][:, used], attribute_totals[played])
        weighted = sparse.csr_array(rows.T @ sparse.diags_array(np.minimum(listeners[played], MOST_LISTENERS)))
        gram = (weighted @ rows).toarray() + self.regularization * np.eye(rows.shape[1])
        return Mapping(used, np.linalg.solve(gram, weighted @ vectors[played].astype(np.float64)))


def inputs(described: sparse.csr_array, attribute_totals: np.ndarray) -> sparse.csr_array:
    """Builds the regression inputs (n, b + 2): attributes, 0.2 · log(1 + attribute total), and 1."""
    extra_columns = np.column_stack([0.2 * np.log1p(attribute_totals), np.ones(len(attribute_totals))])
    return sparse.csr_array(sparse.hstack([described, extra_columns]))
