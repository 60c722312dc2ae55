"""A model over the members' predictions (Wolpert 1992, "Stacked generalization")."""

from dataclasses import dataclass, field

import numpy as np

from training.models.ensemble.members import Members, checked


@dataclass
class StackingEnsemble:
    """Weights that are not negative, by least squares, drawn towards the mean of the members (Breiman 1996).

    A ridge on the distance from equal weights: with little data it is the mean, with much the best combination.

    Attributes:
        ridge: how many rows of average size it takes to move away from the mean.
        intercept: whether a constant is added, for members that are all too high or too low.
        weights: member → weight, once fitted; they need not add up to 1.
        constant: added.
    """

    ridge: float = 10.0
    intercept: bool = False
    weights: dict[str, float] = field(default_factory=dict)
    constant: float = 0.0

    def fit(self, members: Members) -> "StackingEnsemble":
        """Solve for the weights."""
        from scipy.optimize import nnls

        count = len(members.names)
        columns = np.column_stack([members.values, np.ones(len(members.truth))]) if self.intercept else members.values
        size = np.sqrt(np.mean(members.values**2)) or 1.0
        pull = np.sqrt(self.ridge) * size * np.eye(count, columns.shape[1])
        left, right = (
            np.vstack([columns, pull]),
            np.concatenate([members.truth, pull[:, :count] @ np.full(count, 1 / count)]),
        )
        if self.intercept:  # of any sign: one column for each
            left = np.column_stack([left, -left[:, -1]])
        found, _ = nnls(left, right)
        self.weights = dict(zip(members.names, found[:count].tolist(), strict=True))
        self.constant = float(found[count] - found[count + 1]) if self.intercept else 0.0
        return self

    def combine(self, values: np.ndarray) -> np.ndarray:
        """(n, k) → (n,)."""
        return checked(values, tuple(self.weights)) @ np.array(list(self.weights.values())) + self.constant
