"""RP3beta: a random walk of three steps from a listener to tracks, with a penalty on popularity.

Paudel, Christoffel, Newell, Bernstein: Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive
Applications (TiiS 2016): P³α with the transition probabilities raised to α, divided by popularity to the β.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from training.datasets.attributes import Attributes
from training.datasets.interactions import Interactions
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
        to_track, to_user = self._transition_matrix(played), self._transition_matrix(sparse.csr_array(played.T))
        popularity = np.maximum(np.asarray(played.sum(axis=0)).ravel(), 1.0)
        walk = sparse.csr_array(to_user @ to_track @ sparse.diags_array(popularity**-self.beta))
        return FromHistory(to_track, strongest(walk, self.neighbours))

    def _transition_matrix(self, edges: sparse.csr_array) -> sparse.csr_array:
        """Computes the transition probabilities from rows to columns, raised to α."""
        degree = np.maximum(np.asarray(edges.sum(axis=1)).ravel(), 1.0)
        return sparse.csr_array(sparse.diags_array(degree**-self.alpha) @ edges)
