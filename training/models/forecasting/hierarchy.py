"""Hierarchical reconciliation (MinT with variances: Wickramasuriya, Athanasopoulos, Hyndman 2019).

Every node of track, artist, genre and total has its own forecast. The reconciled forecasts add up and are nearest to
these, with distances weighted by the error variance. Information flows both ways between a genre and its tracks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Hierarchy:
    """A hierarchy of series: each node is a sum of bottom series.

    Attributes:
        summing: (nodes, bottoms) sparse matrix of ones; the bottom series themselves are the first nodes.
        levels: level → range of its nodes.
        names: (nodes,) name of each node as ``level:name``.
    """

    summing: Any
    levels: dict[str, slice]
    names: list[str]

    @classmethod
    def of(cls, bottom: Sequence[str], groups: Mapping[str, Sequence[str | None]], level: str = "track") -> "Hierarchy":
        """Builds a hierarchy from the groups of each bottom series by level (None: no group); adds ``total``."""
        from scipy import sparse

        count = len(bottom)
        blocks = [sparse.identity(count, format="csr")]
        levels, names = {level: slice(0, count)}, [f"{level}:{name}" for name in bottom]
        for group, members in groups.items():
            group_names = sorted({name for name in members if name is not None})
            row_of = {name: number for number, name in enumerate(group_names)}
            pairs = [(row_of[name], column) for column, name in enumerate(members) if name is not None]
            row, column = np.array(pairs, np.int64).reshape(-1, 2).T
            blocks.append(sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(len(group_names), count)))
            levels[group] = slice(len(names), len(names) + len(group_names))
            names += [f"{group}:{name}" for name in group_names]
        blocks.append(sparse.csr_matrix(np.ones((1, count))))
        levels["total"] = slice(len(names), len(names) + 1)
        return cls(sparse.vstack(blocks, format="csr"), levels, [*names, "total:all"])

    def sums(self, bottom: np.ndarray) -> np.ndarray:
        """Sums bottom series (bottoms, t) to nodes (nodes, t); a node begins with its first series, NaN before."""
        totals = np.asarray(self.summing @ np.nan_to_num(bottom))
        began = np.asarray(self.summing @ np.isfinite(bottom).astype(np.float32)) > 0
        return np.where(began, totals, np.nan)

    def reconcile(self, forecasts: np.ndarray, variance: np.ndarray, *, nonnegative: bool = True) -> np.ndarray:
        """Reconciles forecasts: (nodes, h) that add up.

        Args:
            forecasts: (nodes, h) base forecast of each node.
            variance: (nodes,) error variance of the base forecasts, above 0.
            nonnegative: whether negative forecasts of bottom series are set to 0.
        """
        from scipy import sparse
        from scipy.sparse.linalg import splu

        count = self.summing.shape[1]
        upper = self.summing[count:]
        below, above = np.maximum(variance[:count], 1e-9), np.maximum(variance[count:], 1e-9)
        # the residuals of the upper levels are distributed by variance; one factorization serves all steps
        spread = (sparse.diags(above) + upper @ sparse.diags(below) @ upper.T).tocsc()
        surprise = forecasts[count:] - upper @ forecasts[:count]
        bottom = forecasts[:count] + below[:, None] * (upper.T @ splu(spread).solve(np.ascontiguousarray(surprise)))
        return np.asarray(self.summing @ (np.maximum(bottom, 0.0) if nonnegative else bottom))
