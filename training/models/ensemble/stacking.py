"""A model over the members' predictions (Wolpert 1992, "Stacked generalization")."""

from dataclasses import dataclass, field

import numpy as np

from training.models.ensemble.members import Members, checked


@dataclass
class StackingEnsemble:
    """Non-negative weights by least squares, shrunk towards the mean of the members (Breiman 1996).

    A ridge penalty on the distance from equal weights gives the mean for few rows and the best weights for many.

    Attributes:
        ridge: strength of the shrinkage, as a number of rows of average size.
        intercept: whether to add a constant, for members that are all too high or too low.
        weights: member → weight, set by ``fit``; the weights need not sum to 1.
        constant: constant that is added to the prediction.
    """

    ridge: float = 10.0
    intercept: bool = False
    weights: dict[str, float] = field(default_factory=dict)
    constant: float = 0.0

    def fit(self, members: Members) -> "StackingEnsemble":
        """Solve for the weights."""
        from scipy.optimize import nnls

        member_count = len(members.names)
        columns = np.column_stack([members.values, np.ones(len(members.truth))]) if self.intercept else members.values
        scale = np.sqrt(np.mean(members.values**2)) or 1.0
        penalty_rows = np.sqrt(self.ridge) * scale * np.eye(member_count, columns.shape[1])
        design, targets = (
            np.vstack([columns, penalty_rows]),
            np.concatenate([members.truth, penalty_rows[:, :member_count] @ np.full(member_count, 1 / member_count)]),
        )
        if self.intercept:  # the constant may have any sign: one column per sign
            design = np.column_stack([design, -design[:, -1]])
        solution, _ = nnls(design, targets)
        self.weights = dict(zip(members.names, solution[:member_count].tolist(), strict=True))
        self.constant = float(solution[member_count] - solution[member_count + 1]) if self.intercept else 0.0
        return self

    def combine(self, values: np.ndarray) -> np.ndarray:
        """Combine predictions (n, k) into (n,)."""
        return checked(values, tuple(self.weights)) @ np.array(list(self.weights.values())) + self.constant
