"""RP3beta: a random walk of three steps from a listener to tracks, with a penalty on popularity.

Paudel, Christoffel, Newell, Bernstein: Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive
Applications (TiiS 2016): P³α with the transition probabilities raised to α, divided by popularity to the β.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
from training.exact import walks
from training.exact.fixed_point import to_floats
from training.exact.sums import Sums
from training.models.recommendation.contract import FromHistory, strongest
from training.models.recommendation.weighting import Weighting


@dataclass(frozen=True)
class RP3Beta:
    """Settings of RP3beta.

    Attributes:
        alpha: exponent of each step's probability.
        beta: exponent of a track's number of listeners; its score is divided by that power.
        neighbours: number of tracks kept for each track after the last two steps.
    """

    alpha: float = 1.0
    beta: float = 0.6
    neighbours: int = 200

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> FromHistory:
        """Learns from the plays before the cutoff; repeated plays count once."""
        played = Weighting().matrix(interactions.before(cutoff), cutoff)
        return FromHistory(self._transition_matrix(played), self.solve(walks.count(played, self.alpha)))

    def solve(self, sums: Sums) -> sparse.csr_array:
        """(tracks, tracks) probabilities of the last two steps, of the strongest, from the sums of ``walks.count``."""
        listeners = np.maximum(sums[walks.LISTENERS].toarray()[0], 1).astype(np.float64)
        table = sums[walks.WALKS]
        steps = sparse.csr_array((to_floats(table.data, walks.BITS), table.indices, table.indptr), table.shape)
        walk = sparse.diags_array(listeners**-self.alpha) @ steps @ sparse.diags_array(listeners**-self.beta)
        return strongest(sparse.csr_array(walk), self.neighbours)

    def _transition_matrix(self, edges: sparse.csr_array) -> sparse.csr_array:
        """Computes the transition probabilities from rows to columns, raised to α."""
        degree = np.maximum(np.asarray(edges.sum(axis=1)).ravel(), 1.0)
        return sparse.csr_array(sparse.diags_array(degree**-self.alpha) @ edges)
