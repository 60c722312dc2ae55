"""Rows grouped by an index."""

from dataclasses import dataclass

import numpy as np

from transforms.batch.windows.items import runs


@dataclass(frozen=True)
class Grouped:
    """Groups of rows with equal index.

    Attributes:
        index: (m,) index of each group, sorted, without repeats.
        order: (n,) row numbers, sorted by the group's index.
        first: (m,) position in ``order`` at which each group begins.
        length: (m,) number of rows of each group.
    """

    index: np.ndarray
    order: np.ndarray
    first: np.ndarray
    length: np.ndarray

    @classmethod
    def by(cls, index: np.ndarray) -> "Grouped":
        """Groups rows by (n,) the index of each row."""
        order = np.argsort(index)
        ordered = index[order]
        first, length = runs(ordered)
        return cls(ordered[first], order, first, length)

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """(m, …) sums of each group's rows, which are integers."""
        return np.add.reduceat(rows[self.order], self.first)

    def maxima(self, rows: np.ndarray) -> np.ndarray:
        """(m, …) maxima of each group's rows."""
        return np.maximum.reduceat(rows[self.order], self.first)
