"""How far out a row lies in the one feature in which it lies farthest out, beyond everything that was seen too.

Each column by itself, on both sides, by its empirical tail (Z. Li and others, ECOD: unsupervised outlier detection
using empirical cumulative distribution functions, IEEE TKDE 2022), which a generalised Pareto tail continues (see
``calibration``).
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.anomaly.calibration import GRID, TAIL, pareto

MOST = 30.0
"""Of -log p: what is so far out can get no farther."""
NARROWEST = 0.05
"""Scale of a tail, in standard deviations of its column: a column that never varied has one too."""


@dataclass(frozen=True)
class Tails:
    """Both tails of each of d columns; the lower one as the upper one of the negated column.

    Attributes:
        grid: (2, d, GRID) quantiles, ascending, at shares spread evenly from 0 to 1 - ``TAIL``.
        scale: (2, d) of the Pareto tail beyond.
        shape: (2, d) of it.
    """

    grid: np.ndarray
    scale: np.ndarray
    shape: np.ndarray

    @classmethod
    def fit(cls, matrix: np.ndarray) -> "Tails":
        """From normal rows (n, d)."""
        both = np.stack([matrix, -matrix])
        grid = np.moveaxis(np.quantile(both, np.linspace(0, 1 - TAIL, GRID), axis=1), 0, -1)
        scale, shape = np.empty(grid.shape[:2]), np.empty(grid.shape[:2])
        for side, column in np.ndindex(*scale.shape):
            values = np.sort(both[side, :, column])
            excess = values[values > grid[side, column, -1]] - grid[side, column, -1]
            found = pareto(excess) if len(excess) >= 5 else (0.0, 0.0)
            scale[side, column], shape[side, column] = max(found[0], NARROWEST), found[1]
        return cls(grid, scale, shape)

    def each(self, matrix: np.ndarray) -> np.ndarray:
        """(n, d) -log of the share of normal rows that lie as far out in each column, for rows (n, d)."""
        found = np.zeros(matrix.shape)
        for side, signed in enumerate((matrix, -matrix)):
            for column, values in enumerate(signed.T):
                grid, scale, shape = self.grid[side, column], self.scale[side, column], self.shape[side, column]
                share = 1 - np.searchsorted(grid, values, side="left") / (GRID - 1) * (1 - TAIL)
                beyond = np.maximum(values - grid[-1], 0) / scale
                rare = beyond if shape < 1e-6 else np.log1p(shape * beyond) / shape
                told = np.where(beyond > 0, rare - np.log(TAIL), -np.log(np.clip(share, TAIL, 1)))
                found[:, column] = np.maximum(found[:, column], told)
        return np.minimum(found, MOST)
