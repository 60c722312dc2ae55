"""Content: tracks that are described like those of a listener's history.

The profile of a listener is the sum of what describes their tracks, each row by tf-idf and of length one; a track's
score is its cosine with the profile (Lops, de Gemmis, Semeraro: Content-based Recommender Systems, 2011), plus a
share of how much is told of it, since much is told of what many know.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes, tf_idf, unit_rows
from training.datasets.interactions import Interactions
from training.models.recommendation.weighting import Weighting


@dataclass(frozen=True)
class ContentFit:
    """Described tracks and listeners.

    Attributes:
        profile: (users, b) rows of length one; zero for listeners without a past.
        described: (tracks, b) rows of length one; zero for tracks of which nothing is told.
        told: (tracks,) log(1 + total of a track's attributes), times the weight it has.
    """

    profile: sparse.csr_array
    described: sparse.csr_array
    told: np.ndarray

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(len(users), tracks) cosines, plus what much telling adds."""
        return np.asarray((self.profile[users] @ self.described.T).toarray()) + self.told


@dataclass(frozen=True)
class Content:
    """Settings.

    Attributes:
        told: weight of the logarithm of how much is told of a track, beside the cosine.
        asked: weights of a listener's history.
    """

    told: float = 0.0
    asked: Weighting = field(default_factory=lambda: Weighting(logarithm=True))

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> ContentFit:
        """From the plays before the cutoff and what describes tracks; without attributes all scores are 0."""
        attributes = attributes or Attributes.none(interactions.shape)
        described = tf_idf(attributes.tracks)
        profile = self.asked.matrix(interactions.before(cutoff), cutoff) @ described
        total = np.asarray(attributes.tracks.sum(axis=1)).ravel()
        return ContentFit(unit_rows(sparse.csr_array(profile)), described, self.told * np.log1p(total))
