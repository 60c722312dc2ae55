"""What an attacker knows who has read the model and all plays: EASE in closed form, with its gradient in fake rows.

EASE on the listeners' side (``training.models.recommendation.ease``): with K = XXᵀ + λI, the score of track t for
listener v who has not played it is −(K⁻¹x_t)_v λ / (1 − x_tᵀK⁻¹x_t). Fake rows Z enlarge K by a block, whose inverse is
that of C = ZZᵀ + λI − S K⁻¹ Sᵀ with S = ZXᵀ, so that an attack is judged without another inverse of all listeners.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.interactions import Interactions
from training.exact.solve import inverse
from training.shilling.detection import matrix

DEPTH = 10


@dataclass(frozen=True)
class Known:
    """A model as an attacker sees it.

    Attributes:
        plays: all plays, of real listeners.
        played: (listeners, tracks) 1 where a listener played a track.
        regularization: λ.
        inverse: (listeners, listeners) K⁻¹.
        half: (listeners, tracks) K⁻¹X.
        threshold: (listeners,) score that a track needs to be in a listener's first ten.
        listeners: (tracks,) number of listeners.
    """

    plays: Interactions
    played: sparse.csr_array
    regularization: float
    inverse: np.ndarray
    half: np.ndarray
    threshold: np.ndarray
    listeners: np.ndarray

    @classmethod
    def of(cls, plays: Interactions, regularization: float = 200.0) -> "Known":
        """Solves the model of all plays."""
        played = matrix(plays)
        kernel = (played @ played.T).toarray()
        kernel[np.diag_indices_from(kernel)] += regularization
        inverted = inverse(kernel)
        half = (played.T @ inverted).T
        margin = 1 - np.asarray(played.multiply(half).sum(axis=0)).ravel()
        scores = played.toarray() - half * (regularization / margin)
        scores[played.nonzero()] = -np.inf
        threshold = -np.partition(-scores, DEPTH - 1, axis=1)[:, DEPTH - 1]
        listeners = np.bincount(played.indices, minlength=played.shape[1])
        return cls(plays, played, regularization, inverted, half, threshold, listeners)

    def profile(self, listener: int) -> np.ndarray:
        """Numbers of the tracks that a listener played."""
        return self.played.indices[self.played.indptr[listener] : self.played.indptr[listener + 1]]

    def lengths(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draws lengths of real profiles."""
        lengths = np.diff(self.played.indptr)
        return rng.choice(lengths[lengths > 1], count) if (lengths > 1).any() else np.full(count, 2)

    def margins(self, fakes: Sequence[np.ndarray], target: int) -> np.ndarray:
        """(listeners,) score of a target less the threshold, after fakes; −∞ for who has played it.

        The scores of the other tracks count as unmoved.
        """
        rows = stack(fakes, self.played.shape[1])
        overlap = (rows @ self.played.T).toarray()
        moved = self.inverse @ overlap.T
        block = (rows @ rows.T).toarray() - overlap @ moved
        block[np.diag_indices_from(block)] += self.regularization
        has_target = self.played[:, [target]].toarray().ravel()
        own = rows[:, [target]].toarray().ravel()
        of_fakes = np.linalg.solve(block, own - overlap @ self.half[:, target])
        of_people = self.half[:, target] - moved @ of_fakes
        rest = 1 - has_target @ of_people - own @ of_fakes
        scores = -of_people * (self.regularization / rest)
        return np.where(has_target > 0, -np.inf, scores - self.threshold)

    def reach(self, fakes: Sequence[np.ndarray], target: int) -> float:
        """Listeners whose first ten a target enters, by fakes; near misses count a little, so that a search climbs."""
        margins = self.margins(fakes, target)
        return float((margins > 0).sum() + 0.5 * np.exp(np.minimum(margins, 0) / 0.02).mean())


def stack(profiles: Sequence[np.ndarray], tracks: int) -> sparse.csr_array:
    """(profiles, tracks) 1 where a profile has a track."""
    distinct = [np.unique(profile) for profile in profiles]
    starts = np.concatenate([[0], np.cumsum([len(profile) for profile in distinct])])
    columns = np.concatenate([np.empty(0, np.int64), *distinct]).astype(np.int64)
    return sparse.csr_array((np.ones(len(columns)), columns, starts), (len(distinct), tracks))
