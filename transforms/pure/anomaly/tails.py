"""The rarity of single column values of a row, also beyond the range of the normal rows.

Each column has an empirical tail on both sides (Z. Li and others, ECOD: unsupervised outlier detection using empirical
cumulative distribution functions, IEEE TKDE 2022), which a generalised Pareto tail extends (see ``calibration``).
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.anomaly.calibration import GRID, TAIL, pareto

MOST = 30.0
"""Largest -log p; rarer values are clipped to it."""
NARROWEST = 0.05
"""Smallest scale of a tail in standard deviations of its column, also for constant columns."""


@dataclass(frozen=True)
class Tails:
    """Both tails of each of d columns; the lower tail is the upper tail of the negated column.

    Attributes:
        grid: (2, d, GRID) quantiles, ascending, at shares spread evenly from 0 to 1 - ``TAIL``.
        scale: (2, d) scale of the Pareto tail beyond the grid.
        shape: (2, d) shape of the Pareto tail.
    """

    grid: np.ndarray
    scale: np.ndarray
    shape: np.ndarray

    @classmethod
    def fit(cls, matrix: np.ndarray) -> "Tails":
        """Fit to normal rows (n, d)."""
        signed = np.stack([matrix, -matrix])
        grid = np.moveaxis(np.quantile(signed, np.linspace(0, 1 - TAIL, GRID), axis=1), 0, -1)
        scale, shape = np.empty(grid.shape[:2]), np.empty(grid.shape[:2])
        for side, column in np.ndindex(*scale.shape):
            values = np.sort(signed[side, :, column])
            excess = values[values > grid[side, column, -1]] - grid[side, column, -1]
            parameters = pareto(excess) if len(excess) >= 5 else (0.0, 0.0)
            scale[side, column], shape[side, column] = max(parameters[0], NARROWEST), parameters[1]
        return cls(grid, scale, shape)

    def each(self, matrix: np.ndarray) -> np.ndarray:
        """(n, d) -log of the share of normal rows that lie as far out in each column, for rows (n, d)."""
        surprise = np.zeros(matrix.shape)
        for side, signed in enumerate((matrix, -matrix)):
            for column, values in enumerate(signed.T):
                grid, scale, shape = self.grid[side, column], self.scale[side, column], self.shape[side, column]
                share = 1 - np.searchsorted(grid, values, side="left") / (GRID - 1) * (1 - TAIL)
                beyond = np.maximum(values - grid[-1], 0) / scale
                excess_surprise = beyond if shape < 1e-6 else np.log1p(shape * beyond) / shape
                side_surprise = np.where(beyond > 0, excess_surprise - np.log(TAIL), -np.log(np.clip(share, TAIL, 1)))
                surprise[:, column] = np.maximum(surprise[:, column], side_surprise)
        return np.minimum(surprise, MOST)
