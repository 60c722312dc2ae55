"""Item-kNN: tracks played by the same people are alike.

Cosine similarity with shrinkage, the nearest neighbours of each track kept (Deshpande, Karypis: Item-based top-N
recommendation algorithms, TOIS 2004).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.models.recommendation.contract import FromHistory, strongest
from training.models.recommendation.weighting import Weighting


@dataclass(frozen=True)
class ItemKNN:
    """Settings.

    Attributes:
        neighbours: tracks for which a track counts: each draws from so many that are most alike.
        shrinkage: added to the denominator, so that rare pairs count less.
        asked: weights of a listener's history when it is asked about.
    """

    neighbours: int = 100
    shrinkage: float = 10.0
    asked: Weighting = field(default_factory=Weighting)

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> FromHistory:
        """Learn from the plays before the cutoff; repeated ones count once."""
        seen = interactions.before(cutoff)
        played = Weighting().matrix(seen, cutoff)
        together = sparse.coo_array(played.T @ played)
        norms = np.sqrt(np.asarray(played.sum(axis=0)).ravel())
        alike = together.data / (norms[together.row] * norms[together.col] + self.shrinkage)
        similarity = sparse.csr_array((alike, (together.row, together.col)), shape=together.shape)
        drawn = sparse.csr_array(strongest(similarity, self.neighbours).T)
        return FromHistory(self.asked.matrix(seen, cutoff), drawn)
