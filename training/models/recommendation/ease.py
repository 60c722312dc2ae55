"""EASE: a linear item-item model in closed form.

Steck: Embarrassingly Shallow Autoencoders for Sparse Data (WWW 2019). Solved on the side that is smaller: with X
(users, tracks) and λ, the paper inverts P = (XᵀX + λI)⁻¹ of the tracks; since P = (I − Xᵀ(XXᵀ + λI)⁻¹X)/λ, the users'
side gives the same scores without a matrix of tracks by tracks. Memory grows with the square of the smaller number.
What describes users and tracks may take part as further tracks and users (as in Jeunen, Van Balen, Goethals:
Closed-Form Models for Collaborative Filtering with Side-Information, RecSys 2020).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes, around
from training.datasets.interactions import Interactions
from training.models.recommendation.contract import FromHistory
from training.models.recommendation.weighting import Weighting


@dataclass(frozen=True)
class EASE:
    """Settings.

    Attributes:
        regularization: λ of the paper.
        learned: weights of the pairs that are learned from.
        asked: weights of a listener's history when it is asked about.
        user_attributes: weight of what describes users, 0 to leave it out.
        track_attributes: likewise of tracks.
    """

    regularization: float = 200.0
    learned: Weighting = field(default_factory=Weighting)
    asked: Weighting = field(default_factory=Weighting)
    user_attributes: float = 0.0
    track_attributes: float = 0.0

    def fit(
        self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None
    ) -> "FromHistory | DualFit":
        """Learn from the plays before the cutoff."""
        seen = interactions.before(cutoff)
        tracks = seen.shape[1]
        history = self.asked.matrix(seen, cutoff)
        learned = around(self.learned.matrix(seen, cutoff), attributes, self.user_attributes, self.track_attributes)
        history = around(history, attributes, self.user_attributes, 0)  # friends ask, too
        if learned.shape[1] <= learned.shape[0]:
            return FromHistory(history, primal(learned, self.regularization)[:, :tracks])
        return DualFit.of(learned, self.regularization, None if self.asked == self.learned else history, seen.shape)


def primal(played: sparse.csr_array, regularization: float) -> np.ndarray:
    """(tracks, tracks) weights, by the inverse of a matrix of that shape."""
    gram = (played.T @ played).toarray()
    gram[np.diag_indices_from(gram)] += regularization
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@dataclass(frozen=True)
class DualFit:
    """The weights B = I − P / diag P, never written out.

    Attributes:
        played: (rows, tracks) X.
        half: (rows, tracks) float32 (XXᵀ + λI)⁻¹X, which is XP.
        diagonal: (tracks,) of P.
        regularization: λ.
        history: (users, tracks) what their tracks ask; None for what was learned from.
        shape: how many of the rows are users, and of the columns tracks.
    """

    played: sparse.csr_array
    half: np.ndarray
    diagonal: np.ndarray
    regularization: float
    history: sparse.csr_array | None
    shape: tuple[int, int]

    @classmethod
    def of(
        cls,
        played: sparse.csr_array,
        regularization: float,
        history: sparse.csr_array | None,
        shape: tuple[int, int],
    ) -> "DualFit":
        """By the inverse of a matrix (rows, rows)."""
        kernel = (played @ played.T).toarray()
        kernel[np.diag_indices_from(kernel)] += regularization
        half = (played.T @ np.linalg.inv(kernel)).T  # the kernel is symmetric
        diagonal = (1 - np.asarray(played.multiply(half).sum(axis=0)).ravel()) / regularization
        return cls(played, half.astype(np.float32), diagonal, regularization, history, shape)

    def ask(self, history: sparse.csr_array) -> np.ndarray:
        """Scores (n, tracks) of histories (n, tracks)."""
        kept = (history @ self.played.T).toarray().astype(np.float32) @ self.half  # history · (I − λP)
        found = (kept - history.toarray()) / (self.regularization * self.diagonal) + history.toarray()
        return np.asarray(found)[:, : self.shape[1]]

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Of their own histories."""
        if self.history is not None:
            return self.ask(self.history[users])
        found = self.played[users].toarray() - self.half[users] / self.diagonal
        return np.asarray(found)[:, : self.shape[1]]

    def weights(self, rows: np.ndarray) -> np.ndarray:
        """(len(rows), tracks) of B, for the tracks of those rows."""
        one = sparse.csr_array((np.ones(len(rows)), (np.arange(len(rows)), rows)), (len(rows), self.played.shape[1]))
        found = self.ask(one)
        found[np.arange(len(rows)), rows] = 0
        return found
