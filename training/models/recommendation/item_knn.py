"""Item-kNN: tracks are similar if the same listeners play them.

Cosine similarity with shrinkage; the nearest neighbours of each track are kept (Deshpande, Karypis: Item-based top-N
recommendation algorithms, TOIS 2004).
"""

from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.exact import gram
from training.exact.sums import Sums
from training.models.recommendation.contract import FromHistory, strongest
from training.models.recommendation.weighting import Weighting


@dataclass(frozen=True)
class ItemKNN:
    """Settings of item-kNN.

    Attributes:
        neighbours: number of most similar tracks from which a track draws its score.
        shrinkage: added to the denominator, so that rare pairs count less.
        history_weighting: weighting of a listener's history when it is scored.
    """

    neighbours: int = 100
    shrinkage: float = 10.0
    history_weighting: Weighting = field(default_factory=Weighting)

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> FromHistory:
        """Learns from the plays before the cutoff; repeated plays count once."""
        past = interactions.before(cutoff)
        sums = gram.count(gram.rounded(Weighting().matrix(past, cutoff), 0))
        return FromHistory(self.history_weighting.matrix(past, cutoff), self.solve(sums))

    def solve(self, sums: Sums) -> sparse.csr_array:
        """(tracks, tracks) similarities of the nearest neighbours, from the sums of ``gram.count``."""
        co_plays = sparse.coo_array(sums[gram.NAME])
        norms = np.sqrt(sums[gram.NAME].diagonal())
        cosines = co_plays.data / (norms[co_plays.row] * norms[co_plays.col] + self.shrinkage)
        similarity = sparse.csr_array((cosines, (co_plays.row, co_plays.col)), shape=co_plays.shape)
        return sparse.csr_array(strongest(similarity, self.neighbours).T)
