"""Distances of a row from normal rows: within the principal plane (Hotelling's T²) and off the plane (Q).

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
        variances: (k,) variance along each component.
    """

    components: np.ndarray
    variances: np.ndarray

    @classmethod
    def fit(cls, rows: np.ndarray, share: float = 0.9) -> "PCA":
        """Fit to rows (n, d), with as many components as explain ``share`` of the variance."""
        _, singular, components = np.linalg.svd(rows, full_matrices=False)
        variances = singular**2 / len(rows)
        total = variances.sum()
        count = int(np.searchsorted(np.cumsum(variances), share * total) + 1) if total > 0 else 1
        count = min(count, int((variances > 1e-12 * max(total, 1e-300)).sum()) or 1)
        return cls(components[:count], np.maximum(variances[:count], 1e-12))

    def score(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) T² and (n,) Q of rows (n, d)."""
        projected = rows @ self.components.T
        residual = rows - projected @ self.components
        return (projected**2 / self.variances).sum(axis=1), (residual**2).sum(axis=1)

    def contributions(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, d) contributions of the columns to T², and (n, d) contributions to Q.

        To Q it is the squared residual; to T² a term of the sum, which may be negative (P. Nomikos and J. F. MacGregor,
        Multivariate SPC charts for monitoring batch processes, Technometrics 37, 1995).
        """
        projected = rows @ self.components.T
        residual = rows - projected @ self.components
        return rows * ((projected / self.variances) @ self.components), residual**2
