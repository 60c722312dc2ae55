"""Weights that minimise any loss on validation rows.

Greedy selection with replacement (Caruana, Niculescu-Mizil, Crew, Ksikes 2004, "Ensemble selection from libraries of
models"): each step adds the member that lowers the loss most. It overfits little, since it starts from the best member
and keeps the best step, and it takes any loss, also with ranks or medians.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from training.models.ensemble.members import Members, checked

Loss = Callable[[np.ndarray, np.ndarray], float]
"""Function of (n,) true values and (n,) predictions that returns the loss."""


def mean_absolute_error(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Return the mean absolute error, the default loss."""
    return float(np.mean(np.abs(truth - prediction)))


@dataclass
class WeightedEnsemble:
    """A weighted mean of the members.

    Attributes:
        loss: loss to minimise.
        steps: maximum number of greedy steps; weights are multiples of one over the number of steps kept.
        weights: member → weight, set by ``fit``; the weights sum to 1.
    """

    loss: Loss = mean_absolute_error
    steps: int = 40
    weights: dict[str, float] = field(default_factory=dict)

    def fit(self, members: Members) -> "WeightedEnsemble":
        """Choose the weights; in a tie the first member wins."""
        counts = np.zeros(len(members.names))
        total = np.zeros(len(members.truth))
        best_loss, best = np.inf, counts
        for step in range(1, self.steps + 1):
            losses = [self.loss(members.truth, (total + column) / step) for column in members.values.T]
            best_member = int(np.argmin(losses))
            counts[best_member] += 1
            total = total + members.values[:, best_member]
            if losses[best_member] < best_loss - 1e-12:
                best_loss, best = losses[best_member], counts.copy()
        self.weights = dict(zip(members.names, (best / best.sum()).tolist(), strict=True))
        return self

    def combine(self, values: np.ndarray) -> np.ndarray:
        """Combine predictions (n, k) into (n,)."""
        return checked(values, tuple(self.weights)) @ np.array(list(self.weights.values()))
