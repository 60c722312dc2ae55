"""How far a row lies from the middle within the usual plane (Hotelling's T²), and how far off that plane (Q).

J. E. Jackson and G. S. Mudholkar, Control procedures for residuals associated with principal component analysis,
Technometrics 21, 1979.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PCA:
    """Principal components of normal rows, whose columns have mean 0.

    Attributes:
        components: (k, d) unit vectors.
        variances: (k,) along each.
    """

    components: np.ndarray
    variances: np.ndarray

    @classmethod
    def fit(cls, rows: np.ndarray, share: float = 0.9) -> "PCA":
        """From (n, d), with as many components as hold ``share`` of the variance."""
        _, singular, components = np.linalg.svd(rows, full_matrices=False)
        variances = singular**2 / len(rows)
        total = variances.sum()
        kept = int(np.searchsorted(np.cumsum(variances), share * total) + 1) if total > 0 else 1
        kept = min(kept, int((variances > 1e-12 * max(total, 1e-300)).sum()) or 1)
        return cls(components[:kept], np.maximum(variances[:kept], 1e-12))

    def score(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) T² and (n,) Q of rows (n, d)."""
        along = rows @ self.components.T
        off = rows - along @ self.components
        return (along**2 / self.variances).sum(axis=1), (off**2).sum(axis=1)

    def contributions(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, d) what each column adds to T², and to Q.

        To Q, its own square; to T², its part of the sum, which may be negative (P. Nomikos and J. F. MacGregor,
        Multivariate SPC charts for monitoring batch processes, Technometrics 37, 1995).
        """
        along = rows @ self.components.T
        off = rows - along @ self.components
        return rows * ((along / self.variances) @ self.components), off**2
