"""RP3beta: a random walk of three steps from a listener to tracks, popular ones held back.

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
    """Settings.

    Attributes:
        alpha: exponent of each step's probability.
        beta: exponent of a track's number of listeners, which divides its score.
        neighbours: tracks that are kept of those that the last two steps reach from each track.
    """

    alpha: float = 1.0
    beta: float = 0.6
    neighbours: int = 200

    def fit(self, interactions: Interactions, cutoff: int, attributes: Attributes | None = None) -> FromHistory:
        """Learn from the plays before the cutoff; repeated ones count once."""
        played = Weighting().matrix(interactions.before(cutoff), cutoff)
        to_track, to_user = self._steps(played), self._steps(sparse.csr_array(played.T))
        popularity = np.maximum(np.asarray(played.sum(axis=0)).ravel(), 1.0)
        reached = sparse.csr_array(to_user @ to_track @ sparse.diags_array(popularity**-self.beta))
        return FromHistory(to_track, strongest(reached, self.neighbours))

    def _steps(self, edges: sparse.csr_array) -> sparse.csr_array:
        """Probabilities of going from a row to one of its columns, raised to α."""
        degree = np.maximum(np.asarray(edges.sum(axis=1)).ravel(), 1.0)
        return sparse.csr_array(sparse.diags_array(degree**-self.alpha) @ edges)
