"""Collaborative filtering by alternating least squares on implicit feedback.

Hu, Koren, Volinsky: Collaborative Filtering for Implicit Feedback Datasets (ICDM 2008), in the form and with the
frequency-scaled regularisation of Rendle, Krichene, Zhang, Koren: Revisiting the Performance of iALS on Item
Recommendation Benchmarks (RecSys 2022). New here: plays fade with age, so that the vectors follow taste and fashion.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.interactions import Interactions
from training.models.recommendation.popularity import MICROSECONDS_A_DAY


@dataclass(frozen=True)
class Vectors:
    """One fit.

    Attributes:
        user: (users, factors) float32; zero for users without plays before the cutoff.
        track: (tracks, factors) float32; likewise.
        cutoff: µs since 1970 UTC; only plays before it were used.
    """

    user: np.ndarray
    track: np.ndarray
    cutoff: int


@dataclass(frozen=True)
class ALS:
    """Minimises, over all users u and tracks i,

    Σ_played w_ui (1 − x_u·y_i)² + α Σ_all (x_u·y_i)² + λ (Σ_u n_u |x_u|² + Σ_i n_i |y_i|²)

    Attributes:
        factors: length of a vector.
        iterations: rounds of both sides.
        unobserved: α, weight of what was not played.
        regularization: λ; n is the total weight in a user's or track's row.
        half_life_days: after this long a play counts half; none fade if None.
        seed: of the first vectors.
    """

    factors: int = 32
    iterations: int = 10
    unobserved: float = 0.3
    regularization: float = 0.01
    half_life_days: float | None = 30.0
    seed: int = 0

    def fit(self, interactions: Interactions, cutoff: int, *, start: Vectors | None = None) -> Vectors:
        """Learn from the plays before the cutoff.

        Args:
            interactions: all plays.
            cutoff: µs since 1970 UTC.
            start: vectors of an earlier cutoff to go on from, in a third of the iterations.
        """
        weights = self._weights(interactions.before(cutoff), cutoff)
        by_track = weights.T.tocsr()
        rng = np.random.default_rng(self.seed)
        scale = 0.1 / np.sqrt(self.factors)
        user = rng.normal(0, scale, (weights.shape[0], self.factors))
        track = rng.normal(0, scale, (weights.shape[1], self.factors))
        if start is not None:
            known = np.any(start.track != 0, axis=1)
            track[known] = start.track[known]
        for _ in range(self.iterations if start is None else max(self.iterations // 3, 1)):
            self._solve(weights, user, track)
            self._solve(by_track, track, user)
        self._solve(weights, user, track)
        return Vectors(user.astype(np.float32), track.astype(np.float32), cutoff)

    def _weights(self, seen: Interactions, cutoff: int) -> sparse.csr_matrix:
        """(users, tracks): 1 for one fresh play; grows with the logarithm of plays, fades with their age."""
        age_days = (cutoff - seen.time) / MICROSECONDS_A_DAY
        fresh = np.ones(len(age_days)) if self.half_life_days is None else 0.5 ** (age_days / self.half_life_days)
        summed = sparse.csr_matrix((fresh, (seen.user, seen.track)), shape=seen.shape)
        summed.data = np.log2(1 + summed.data)
        return summed

    def _solve(self, weights: sparse.csr_matrix, mine: np.ndarray, other: np.ndarray) -> None:
        """Each row of ``mine`` anew, the other side held fixed."""
        everything = self.unobserved * (other.T @ other)
        identity = np.eye(self.factors)
        mine[:] = 0
        for row in np.flatnonzero(np.diff(weights.indptr)):
            part = slice(weights.indptr[row], weights.indptr[row + 1])
            weight, vectors = weights.data[part], other[weights.indices[part]]
            ridge = self.regularization * (weight.sum() + self.unobserved * len(other))
            left = everything + (vectors * weight[:, None]).T @ vectors + ridge * identity
            mine[row] = np.linalg.solve(left, weight @ vectors)
