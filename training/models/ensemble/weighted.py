"""Weights that are best on validation, by any loss.

Greedy selection with replacement (Caruana, Niculescu-Mizil, Crew, Ksikes 2004, "Ensemble selection from libraries of
models"): again and again the member is added that helps most. It overfits little, since it stops where nothing helps
and starts from the best members, and it takes any loss, also one with ranks or medians in it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from training.models.ensemble.members import Members, checked

Loss = Callable[[np.ndarray, np.ndarray], float]
"""(n,) truth and (n,) prediction → what is to be small."""


def mean_absolute_error(truth: np.ndarray, prediction: np.ndarray) -> float:
    """The loss if none is given."""
    return float(np.mean(np.abs(truth - prediction)))


@dataclass
class WeightedEnsemble:
    """A weighted mean.

    Attributes:
        loss: to be made small.
        steps: members are drawn so often at the most; weights are multiples of one over the number drawn.
        weights: member → weight, adding up to 1, once fitted.
    """

    loss: Loss = mean_absolute_error
    steps: int = 40
    weights: dict[str, float] = field(default_factory=dict)

    def fit(self, members: Members) -> "WeightedEnsemble":
        """Choose the weights; the first member wins a tie."""
        counts = np.zeros(len(members.names))
        total = np.zeros(len(members.truth))
        best_loss, best = np.inf, counts
        for step in range(1, self.steps + 1):
            losses = [self.loss(members.truth, (total + column) / step) for column in members.values.T]
            place = int(np.argmin(losses))
            counts[place] += 1
            total = total + members.values[:, place]
            if losses[place] < best_loss - 1e-12:
                best_loss, best = losses[place], counts.copy()
        self.weights = dict(zip(members.names, (best / best.sum()).tolist(), strict=True))
        return self

    def combine(self, values: np.ndarray) -> np.ndarray:
        """(n, k) → (n,)."""
        return checked(values, tuple(self.weights)) @ np.array(list(self.weights.values()))
