"""Collaborative filtering by alternating least squares on implicit feedback.

Hu, Koren, Volinsky: Collaborative Filtering for Implicit Feedback Datasets (ICDM 2008), in the form and with the
frequency-scaled regularisation of Rendle, Krichene, Zhang, Koren: Revisiting the Performance of iALS on Item
Recommendation Benchmarks (RecSys 2022). Each half step is solved for all rows at once by conjugate gradients (Takács,
Pilászy, Tikk: Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering, RecSys
2011). New here: plays fade with age, so that the vectors follow taste and fashion; what describes users and tracks may
take part as further tracks and users (``training.datasets.attributes.around``).
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes, around
from training.datasets.interactions import Interactions
from training.models.recommendation.weighting import Weighting

BLOCK = 400_000
"""Pairs that are held as vectors at once."""


@dataclass(frozen=True)
class Vectors:
    """One fit.

    Attributes:
        user: (users, factors) float32; zero for users without plays before the cutoff.
        track: (tracks, factors) float32; likewise, unless attributes describe it.
        cutoff: µs since 1970 UTC; only plays before it were used.
    """

    user: np.ndarray
    track: np.ndarray
    cutoff: int

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(len(users), tracks) dot products."""
        return np.asarray(self.user[users] @ self.track.T)


@dataclass(frozen=True)
class IALS:
    """Minimises, over all users u and tracks i,

    Σ_played w_ui (1 − x_u·y_i)² + α Σ_all (x_u·y_i)² + λ (Σ_u n_u |x_u|² + Σ_i n_i |y_i|²)

    Attributes:
        factors: length of a vector.
        iterations: rounds of both sides.
        unobserved: α, weight of what was not played.
        regularization: λ; n is the total weight in a user's or track's row.
        half_life_days: after this long a play counts half; none fade if None.
        recency: factor of a track for each distinct one that the listener played after it.
        user_attributes: weight of what describes users, 0 to leave it out.
        track_attributes: likewise of tracks.
        steps: of conjugate gradients in a half step; the last one is solved to the end.
        seed: of the first vectors.
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
    ) -> Vectors:
        """Learn from the plays before the cutoff.

        Args:
            interactions: all plays.
            cutoff: µs since 1970 UTC.
            attributes: of users and tracks, as known at the cutoff.
            start: vectors of an earlier cutoff to go on from, in a third of the iterations.
        """
        weighting = Weighting(logarithm=True, half_life_days=self.half_life_days, recency=self.recency)
        users, tracks = interactions.shape
        played = weighting.matrix(interactions.before(cutoff), cutoff)
        weights = around(played, attributes, self.user_attributes, self.track_attributes).astype(np.float32)
        by_track = sparse.csr_array(weights.T)
        rng = np.random.default_rng(self.seed)
        scale = 0.1 / np.sqrt(self.factors)
        user = rng.normal(0, scale, (weights.shape[0], self.factors)).astype(np.float32)
        track = rng.normal(0, scale, (weights.shape[1], self.factors)).astype(np.float32)
        if start is not None:
            known = np.flatnonzero(np.any(start.track != 0, axis=1))
            track[known] = start.track[known]
        for _ in range(self.iterations if start is None else max(self.iterations // 3, 1)):
            user = self._solve(weights, user, track, self.steps)
            track = self._solve(by_track, track, user, self.steps)
        user = self._solve(weights, user, track, 4 * self.factors)
        return Vectors(user[:users], track[:tracks], cutoff)

    def _solve(self, weights: sparse.csr_array, mine: np.ndarray, other: np.ndarray, steps: int) -> np.ndarray:
        """Each row of ``mine`` closer to its solution, the other side held fixed; zero where it has no weights."""
        everything = self.unobserved * (other.T @ other)
        total = np.asarray(weights.sum(axis=1)).ravel()
        ridge = (self.regularization * (total + self.unobserved * len(other)))[:, None].astype(np.float32)
        wanted = weights @ other
        mine = np.where(total[:, None] > 0, mine, 0).astype(np.float32)
        rest = wanted - self._apply(weights, mine, other, everything, ridge)
        rest[total == 0] = 0
        direction, size = rest.copy(), np.einsum("nd,nd->n", rest, rest)
        enough = 1e-12 * max(float(np.einsum("nd,nd->n", wanted, wanted).max(initial=0)), 1e-30)
        for _ in range(steps):
            if size.max(initial=0) <= enough:
                break
            image = self._apply(weights, direction, other, everything, ridge)
            length = size / np.maximum(np.einsum("nd,nd->n", direction, image), 1e-30)
            mine += length[:, None] * direction
            rest -= length[:, None] * image
            smaller = np.einsum("nd,nd->n", rest, rest)
            direction = rest + (smaller / np.maximum(size, 1e-30))[:, None] * direction
            size = smaller
        return mine

    def _apply(
        self,
        weights: sparse.csr_array,
        vectors: np.ndarray,
        other: np.ndarray,
        everything: np.ndarray,
        ridge: np.ndarray,
    ) -> np.ndarray:
        """The left side of the normal equations of each row, applied to its vector."""
        out = vectors @ everything + ridge * vectors
        pairs = weights.indptr
        first = 0
        while first < weights.shape[0]:
            last = int(np.searchsorted(pairs, pairs[first] + BLOCK, side="right")) - 1
            last = min(max(last, first + 1), weights.shape[0])
            part = slice(pairs[first], pairs[last])
            columns = weights.indices[part]
            mine = np.repeat(vectors[first:last], np.diff(pairs[first : last + 1]), axis=0)
            dots = np.einsum("ed,ed->e", mine, other[columns]) * weights.data[part]
            block = sparse.csr_array(
                (dots, columns, pairs[first : last + 1] - pairs[first]), shape=(last - first, len(other))
            )
            out[first:last] += block @ other
            first = last
        return out
