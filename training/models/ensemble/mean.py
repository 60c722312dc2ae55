"""The plain mean of all members."""

from dataclasses import dataclass

import numpy as np

from training.models.ensemble.members import Members, checked


@dataclass
class MeanEnsemble:
    """Every member counts the same.

    Attributes:
        names: of the members, once fitted.
    """

    names: tuple[str, ...] = ()

    def fit(self, members: Members) -> "MeanEnsemble":
        """Take note of the members."""
        self.names = members.names
        return self

    def combine(self, values: np.ndarray) -> np.ndarray:
        """(n, k) → (n,)."""
        return checked(values, self.names).mean(axis=1)
