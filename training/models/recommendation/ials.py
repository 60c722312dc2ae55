"""Collaborative filtering by alternating least squares on implicit feedback.

Hu, Koren, Volinsky: Collaborative Filtering for Implicit Feedback Datasets (ICDM 2008), in the form and with the
frequency-scaled regularisation of Rendle, Krichene, Zhang, Koren: Revisiting the Performance of iALS on Item
Recommendation Benchmarks (RecSys 2022). Each half step is solved for all rows at once by conjugate gradients (Takács,
Pilászy, Tikk: Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering, RecSys
2011). Two additions: plays fade with age, so that the vectors follow changes of taste; attributes of users and tracks
can be added as further tracks and users (``training.datasets.attributes.around``).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes, around
from training.datasets.interactions import Interactions
from training.models.recommendation.weighting import Weighting

BLOCK = 400_000
"""Number of user-track pairs whose vectors are in memory at once."""


@dataclass(frozen=True)
class Vectors:
    """The fitted vectors of users and tracks.

    Attributes:
        user: (users, factors) float32; zero for users without plays before the cutoff.
        track: (tracks, factors) float32; zero for tracks without plays or attributes before the cutoff.
        cutoff: cutoff of the training data in µs since 1970 UTC; only plays before it were used.
    """

    user: np.ndarray
    track: np.ndarray
    cutoff: int

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores all tracks by dot product: (len(users), tracks)."""
        return np.asarray(self.user[users] @ self.track.T)


@dataclass(frozen=True)
class IALS:
    """Settings of iALS, which minimises, over all users u and tracks i,

    Σ_played w_ui (1 − x_u·y_i)² + α Σ_all (x_u·y_i)² + λ (Σ_u n_u |x_u|² + Σ_i n_i |y_i|²)

    Attributes:
        factors: length of a vector.
        iterations: number of iterations, each over users and tracks.
        unobserved: α, weight of pairs without plays.
        regularization: λ; n is the total weight in a user's or track's row.
        half_life_days: age in days at which a play counts half; None for no fading.
        recency: factor of the weight of a track for each distinct track that the listener played after it.
        user_attributes: weight of the attributes of users; 0 leaves them out.
        track_attributes: weight of the attributes of tracks; 0 leaves them out.
        steps: conjugate-gradient steps in a half step; the last half step is solved to convergence.
        seed: random seed of the initial vectors.
    """

    factors: int = 32
    iterations: int = 10
    unobserved: float = 0.3
    regularization: float = 0.01
    half_life_days: float | None = 30.0
    recency: float = 1.0
    user_attributes: float = 0.0
    track_attributes: float = 0.0
    steps: int = 4
    seed: int = 0

    def fit(
        self,
        interactions: Interactions,
        cutoff: int,
        attributes: Attributes | None = None,
        *,
        start: Vectors | None = None,
        left_out: np.ndarray | None = None,
    ) -> Vectors:
        """Learns from the plays before the cutoff.

        Args:
            interactions: all plays.
            cutoff: end of the training data in µs since 1970 UTC.
            attributes: attributes of users and tracks as known at the cutoff.
            start: vectors of an earlier cutoff as a warm start; a third of the iterations is then enough.
            left_out: (users,) True for users who get a vector, but from whom no track learns; None for nobody.
        """
        weighting = Weighting(logarithm=True, half_life_days=self.half_life_days, recency=self.recency)
        users, tracks = interactions.shape
        played = weighting.matrix(interactions.before(cutoff), cutoff)
        weights = around(played, attributes, self.user_attributes, self.track_attributes).astype(np.float32)
        learned = weights if left_out is None or not left_out.any() else _without_rows(weights, left_out)
        by_track = sparse.csr_array(learned.T)
        rng = np.random.default_rng(self.seed)
        scale = 0.1 / np.sqrt(self.factors)
        user = rng.normal(0, scale, (weights.shape[0], self.factors)).astype(np.float32)
        track = rng.normal(0, scale, (weights.shape[1], self.factors)).astype(np.float32)
        if start is not None:
            warm_tracks = np.flatnonzero(np.any(start.track != 0, axis=1))
            track[warm_tracks] = start.track[warm_tracks]
        for _ in range(self.iterations if start is None else max(self.iterations // 3, 1)):
            user = self._solve(learned, user, track, self.steps)
            track = self._solve(by_track, track, user, self.steps)
        user = self._solve(weights, user, track, 4 * self.factors)
        return Vectors(user[:users], track[:tracks], cutoff)

    def _solve(self, weights: sparse.csr_array, vectors: np.ndarray, other: np.ndarray, steps: int) -> np.ndarray:
        """Moves each row of ``vectors`` closer to its solution with ``other`` fixed; rows without weights become 0."""
        unobserved_gram = self.unobserved * (other.T @ other)
        total_weight = np.asarray(weights.sum(axis=1)).ravel()
        ridge = (self.regularization * (total_weight + self.unobserved * len(other)))[:, None].astype(np.float32)
        target = weights @ other
        vectors = np.where(total_weight[:, None] > 0, vectors, 0).astype(np.float32)
        residual = target - self._apply(weights, vectors, other, unobserved_gram, ridge)
        residual[total_weight == 0] = 0
        direction, squared_norm = residual.copy(), np.einsum("nd,nd->n", residual, residual)
        tolerance = 1e-12 * max(float(np.einsum("nd,nd->n", target, target).max(initial=0)), 1e-30)
        for _ in range(steps):
            if squared_norm.max(initial=0) <= tolerance:
                break
            image = self._apply(weights, direction, other, unobserved_gram, ridge)
            step_length = squared_norm / np.maximum(np.einsum("nd,nd->n", direction, image), 1e-30)
            vectors += step_length[:, None] * direction
            residual -= step_length[:, None] * image
            new_squared_norm = np.einsum("nd,nd->n", residual, residual)
            direction = residual + (new_squared_norm / np.maximum(squared_norm, 1e-30))[:, None] * direction
            squared_norm = new_squared_norm
        return vectors

    def _apply(
        self,
        weights: sparse.csr_array,
        vectors: np.ndarray,
        other: np.ndarray,
        unobserved_gram: np.ndarray,
        ridge: np.ndarray,
    ) -> np.ndarray:
        """Applies the left side of the normal equations of each row to its vector."""
        product = vectors @ unobserved_gram + ridge * vectors
        row_starts = weights.indptr
        first = 0
        while first < weights.shape[0]:
            last = int(np.searchsorted(row_starts, row_starts[first] + BLOCK, side="right")) - 1
            last = min(max(last, first + 1), weights.shape[0])
            pair_slice = slice(row_starts[first], row_starts[last])
            columns = weights.indices[pair_slice]
            pair_vectors = np.repeat(vectors[first:last], np.diff(row_starts[first : last + 1]), axis=0)
            dots = np.einsum("ed,ed->e", pair_vectors, other[columns]) * weights.data[pair_slice]
            block = sparse.csr_array(
                (dots, columns, row_starts[first : last + 1] - row_starts[first]), shape=(last - first, len(other))
            )
            product[first:last] += block @ other
            first = last
        return product


def _without_rows(weights: sparse.csr_array, left_out: np.ndarray) -> sparse.csr_array:
    """The same matrix with nothing in some of the first rows; rows of attributes come after them."""
    learned = sparse.csr_array(weights, copy=True)
    counts = np.diff(weights.indptr)[: len(left_out)]
    learned.data[: counts.sum()][np.repeat(left_out, counts)] = 0
    learned.eliminate_zeros()
    return learned
