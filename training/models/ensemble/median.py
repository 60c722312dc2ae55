"""The median of all members."""

from dataclasses import dataclass

import numpy as np

from training.models.ensemble.members import Members, checked


@dataclass
class MedianEnsemble:
    """The median of the members, robust against outliers of a single member.

    Attributes:
        names: names of the members, set by ``fit``.
    """

    names: tuple[str, ...] = ()

    def fit(self, members: Members) -> "MedianEnsemble":
        """Store the names of the members."""
        self.names = members.names
        return self

    def combine(self, values: np.ndarray) -> np.ndarray:
        """Combine predictions (n, k) into (n,)."""
        return np.median(checked(values, self.names), axis=1)
