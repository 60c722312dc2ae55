"""Content-based filtering: tracks whose attributes are like those of a listener's history.

The profile of a listener is the sum of the tf-idf rows, of length one, of their tracks. The score of a track is its
cosine with the profile (Lops, de Gemmis, Semeraro: Content-based Recommender Systems, 2011), plus a bonus that grows
with the number of its attributes, because well-known tracks have more of them.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes, tf_idf, unit_rows
from training.datasets.interactions import Interactions
from training.models.recommendation.weighting import Weighting


@dataclass(frozen=True)
class ContentFit:
    """Attribute rows of tracks and profiles of listeners.

    Attributes:
        profile: (users, b) rows of length one; zero for listeners without a past.
        described: (tracks, b) rows of length one; zero for tracks without attributes.
        attribute_bonus: (tracks,) weighted log(1 + total of a track's attributes), added to every cosine.
    """

    profile: sparse.csr_array
    described: sparse.csr_array
    attribute_bonus: np.ndarray

    def scores(self, users: np.ndarray) -> np.ndarray:
        """(len(users), tracks) cosines, plus the attribute bonus."""
        return np.asarray((self.profile[users] @ self.described.T).toarray()) + self.attribute_bonus


@dataclass(frozen=True)
class Content:
    """Settings of content-based filtering.

    Attributes:
        attribute_count_weight: weight of log(1 + total of a track's attributes) beside the cosine.
        history_weighting: weighting of a listener's history.
    """

    attribute_count_weight: float = 0.0
    history_weighting: Weighting = field(default_factory=lambda: Weighting(logarithm=True))

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> ContentFit:
        """Learns from the plays before the cutoff and attributes of tracks; without attributes all scores are 0."""
        attributes = attributes or Attributes.none(interactions.shape)
        described = tf_idf(attributes.tracks)
        profile = self.history_weighting.matrix(interactions.before(cutoff), cutoff) @ described
        attribute_totals = np.asarray(attributes.tracks.sum(axis=1)).ravel()
        return ContentFit(
            unit_rows(sparse.csr_array(profile)), described, self.attribute_count_weight * np.log1p(attribute_totals)
        )
