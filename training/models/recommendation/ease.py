"""EASE: a linear item-item model in closed form.

Steck: Embarrassingly Shallow Autoencoders for Sparse Data (WWW 2019). Solved on the side that is smaller: with X
(users, tracks) and λ, the paper inverts P = (XᵀX + λI)⁻¹ of the tracks; since P = (I − Xᵀ(XXᵀ + λI)⁻¹X)/λ, the users'
side gives the same scores without a matrix of tracks by tracks. Memory grows with the square of the smaller number.
Attributes of users and tracks can be added as further tracks and users (as in Jeunen, Van Balen, Goethals:
Closed-Form Models for Collaborative Filtering with Side-Information, RecSys 2020).

Weights are whole multiples of 2^-bits, so that XᵀX is an exact sum over people (``training.exact.gram``): weights that
are solved from it after a person was subtracted have the bits of those of a world without the person. Tracks that
nobody has played are left out of the inverse, as they would not be in that world. On the users' side there is no sum
over people: each has a row, which goes with the person.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes, around
from training.datasets.interactions import Interactions
from training.exact import gram
from training.exact.fixed_point import to_floats
from training.exact.solve import inverse
from training.exact.sums import Sums
from training.models.recommendation.contract import FromHistory
from training.models.recommendation.weighting import Weighting


@dataclass(frozen=True)
class EASE:
    """Settings of EASE.

    Attributes:
        regularization: λ of the paper.
        training_weighting: weighting of the listener-track pairs in the training matrix.
        history_weighting: weighting of a listener's history when it is scored.
        user_attributes: weight of the attributes of users; 0 leaves them out.
        track_attributes: weight of the attributes of tracks; 0 leaves them out.
        session_pause_s: seconds without a play that end a session; sessions are then further rows of the training
            matrix, so that tracks of one session belong together more. None for listeners alone.
    """

    regularization: float = 200.0
    training_weighting: Weighting = field(default_factory=Weighting)
    history_weighting: Weighting = field(default_factory=Weighting)
    user_attributes: float = 0.0
    track_attributes: float = 0.0
    session_pause_s: float | None = None

    def fit(
        self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None
    ) -> "FromHistory | DualFit":
        """Learns from the plays before the cutoff."""
        past = interactions.before(cutoff)
        rows = self.rows(interactions, cutoff, attributes)
        # friends count as history, too
        history = around(self.history_weighting.matrix(past, cutoff), attributes, self.user_attributes, 0)
        if is_primal(rows):
            return FromHistory(history, self.solve(gram.count(rows))[:, : past.shape[1]])
        return DualFit.of(
            sparse.csr_array((to_floats(rows.data, self.bits), rows.indices, rows.indptr), rows.shape),
            self.regularization,
            None if self.history_weighting == self.training_weighting else history,
            past.shape,
        )

    @property
    def bits(self) -> int:
        """Bits after the point of the weights; none where they are 0 or 1."""
        return gram.BITS if self.user_attributes or self.track_attributes else self.training_weighting.bits

    def rows(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> sparse.csr_array:
        """(rows, tracks) X, int64 multiples of 2^-bits: of people, then of attributes of tracks, then of sessions."""
        past = interactions.before(cutoff)
        weights = around(
            self.training_weighting.matrix(past, cutoff), attributes, self.user_attributes, self.track_attributes
        )
        if self.session_pause_s is not None:
            sessions = _session_rows(past, self.session_pause_s)
            sessions.resize((sessions.shape[0], weights.shape[1]))  # without the attributes of users
            weights = sparse.csr_array(sparse.vstack([weights, sessions]))
        return gram.rounded(weights, self.bits)

    def solve(self, sums: Sums) -> np.ndarray:
        """(tracks, tracks) weights of the sums of ``gram.count(rows)``, on the side of the tracks."""
        return primal(sums[gram.NAME], 2 * self.bits, self.regularization)


def is_primal(rows: sparse.csr_array) -> bool:
    """Whether the matrix of the tracks that have plays is the smaller one."""
    return len(np.unique(rows.indices)) <= int((np.diff(rows.indptr) > 0).sum())


def _session_rows(past: Interactions, pause_s: float) -> sparse.csr_array:
    """(sessions, tracks) 1 where a track was played in a session, which ends by a pause."""
    order = np.argsort(past.user, kind="stable")
    user, track, time = past.user[order], past.track[order], past.time[order]
    is_first = (np.diff(user, prepend=-1) != 0) | (np.diff(time, prepend=0) > pause_s * 1e6)
    session = np.cumsum(is_first) - 1
    rows = sparse.csr_array((np.ones(len(user)), (session, track)), shape=(int(is_first.sum()), past.shape[1]))
    rows.sum_duplicates()
    rows.data[:] = 1
    return rows


def primal(products: sparse.csr_array, bits: int, regularization: float) -> np.ndarray:
    """Computes the (tracks, tracks) weights by inverting a matrix of the tracks that have plays.

    Args:
        products: (tracks, tracks) XᵀX, int64 multiples of 2^-bits.
        bits: bits after the point.
        regularization: λ.
    """
    played = np.flatnonzero(products.diagonal() > 0)
    matrix = to_floats(products[played][:, played].toarray(), bits)
    matrix[np.diag_indices_from(matrix)] += regularization
    matrix = inverse(matrix)
    matrix = -matrix / np.diag(matrix)
    np.fill_diagonal(matrix, 0)
    if len(played) == products.shape[0]:
        return matrix
    weights = np.zeros(products.shape)
    weights[np.ix_(played, played)] = matrix
    return weights


@dataclass(frozen=True)
class DualFit:
    """The weights B = I − P / diag P, in factored form.

    Attributes:
        played: (rows, tracks) X.
        half: (rows, tracks) float32 (XXᵀ + λI)⁻¹X, which is XP.
        diagonal: (tracks,) diagonal of P.
        regularization: λ.
        history: (users, tracks) weighted histories to score; None if they equal the training matrix.
        shape: number of users among the rows, number of tracks among the columns.
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
        """Fits the weights by inverting a (rows, rows) matrix."""
        kernel = (played @ played.T).toarray()
        kernel[np.diag_indices_from(kernel)] += regularization
        half = (played.T @ inverse(kernel)).T  # the kernel is symmetric
        diagonal = (1 - np.asarray(played.multiply(half).sum(axis=0)).ravel()) / regularization
        return cls(played, half.astype(np.float32), diagonal, regularization, history, shape)

    def score_histories(self, history: sparse.csr_array) -> np.ndarray:
        """Scores all tracks for histories: (n, tracks) → (n, tracks)."""
        projected = (history @ self.played.T).toarray().astype(np.float32) @ self.half  # history · (I − λP)
        scores = (projected - history.toarray()) / (self.regularization * self.diagonal) + history.toarray()
        return np.asarray(scores)[:, : self.shape[1]]

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores all tracks for the users' own histories: (len(users), tracks)."""
        if self.history is not None:
            return self.score_histories(self.history[users])
        scores = self.played[users].toarray() - self.half[users] / self.diagonal
        return np.asarray(scores)[:, : self.shape[1]]

    def weights(self, rows: np.ndarray) -> np.ndarray:
        """Returns rows of B, (len(rows), tracks), for the given tracks."""
        unit_histories = sparse.csr_array(
            (np.ones(len(rows)), (np.arange(len(rows)), rows)), (len(rows), self.played.shape[1])
        )
        weights = self.score_histories(unit_histories)
        weights[np.arange(len(rows)), rows] = 0
        return weights
