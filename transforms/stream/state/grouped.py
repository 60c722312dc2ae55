"""Rows by what they belong to."""

from dataclasses import dataclass

import numpy as np

from transforms.batch.windows.items import runs


@dataclass(frozen=True)
class Grouped:
    """Rows of equal index, together.

    Attributes:
        index: (m,) sorted, without repeats.
        order: (n,) places of the rows, those of the first index first.
        first: (m,) where the rows of each begin in this order.
        length: (m,) how many they are.
    """

    index: np.ndarray
    order: np.ndarray
    first: np.ndarray
    length: np.ndarray

    @classmethod
    def by(cls, index: np.ndarray) -> "Grouped":
        """From (n,) an index of each row."""
        order = np.argsort(index)
        ordered = index[order]
        first, length = runs(ordered)
        return cls(ordered[first], order, first, length)

    def added(self, rows: np.ndarray) -> np.ndarray:
        """(m, …) sums of integers."""
        return np.add.reduceat(rows[self.order], self.first)

    def largest(self, rows: np.ndarray) -> np.ndarray:
        """(m, …)."""
        return np.maximum.reduceat(rows[self.order], self.first)
