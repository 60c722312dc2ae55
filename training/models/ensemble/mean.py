"""The plain mean of all members."""

from dataclasses import dataclass

import numpy as np

from training.models.ensemble.members import Members, checked


@dataclass
class MeanEnsemble:
    """The mean of the members, with equal weights.

    Attributes:
        names: names of the members, set by ``fit``.
    """

    names: tuple[str, ...] = ()

    def fit(self, members: Members) -> "MeanEnsemble":
        """Store the names of the members."""
        self.names = members.names
        return self

    def combine(self, values: np.ndarray) -> np.ndarray:
        """Combine predictions (n, k) into (n,)."""
        return checked(values, self.names).mean(axis=1)
