"""The median of all members."""

from dataclasses import dataclass

import numpy as np

from training.models.ensemble.members import Members, checked


@dataclass
class MedianEnsemble:
    """One member that goes astray does not matter.

    Attributes:
        names: of the members, once fitted.
    """

    names: tuple[str, ...] = ()

    def fit(self, members: Members) -> "MedianEnsemble":
        """Take note of the members."""
        self.names = members.names
        return self

    def combine(self, values: np.ndarray) -> np.ndarray:
        """(n, k) → (n,)."""
        return np.median(checked(values, self.names), axis=1)
