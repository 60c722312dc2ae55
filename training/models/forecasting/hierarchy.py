"""Track, artist, genre and total made to add up (MinT with variances: Wickramasuriya, Athanasopoulos, Hyndman 2019).

Every node has a forecast of its own; the reconciled ones are those that add up and lie nearest to them, each distance
weighed by how wrong such forecasts were. A genre knows about its tracks, and the tracks about their genre.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Hierarchy:
    """Which bottom series each node sums.

    Attributes:
        summing: (nodes, bottoms) sparse matrix of ones; the bottom series themselves are the first nodes.
        levels: level → the range of its nodes.
        names: (nodes,) as ``level:name``.
    """

    summing: Any
    levels: dict[str, slice]
    names: list[str]

    @classmethod
    def of(cls, bottom: Sequence[str], groups: Mapping[str, Sequence[str | None]], level: str = "track") -> "Hierarchy":
        """From the groups of each bottom series, level by level; None belongs to none. ``total`` is added."""
        from scipy import sparse

        count = len(bottom)
        blocks = [sparse.identity(count, format="csr")]
        levels, names = {level: slice(0, count)}, [f"{level}:{name}" for name in bottom]
        for group, members in groups.items():
            known = sorted({name for name in members if name is not None})
            place = {name: number for number, name in enumerate(known)}
            pairs = [(place[name], column) for column, name in enumerate(members) if name is not None]
            row, column = np.array(pairs, np.int64).reshape(-1, 2).T
            blocks.append(sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(len(known), count)))
            levels[group] = slice(len(names), len(names) + len(known))
            names += [f"{group}:{name}" for name in known]
        blocks.append(sparse.csr_matrix(np.ones((1, count))))
        levels["total"] = slice(len(names), len(names) + 1)
        return cls(sparse.vstack(blocks, format="csr"), levels, [*names, "total:all"])

    def sums(self, bottom: np.ndarray) -> np.ndarray:
        """(nodes, t) of (bottoms, t); what had not begun counts as 0, and a node begins with its first series."""
        added = np.asarray(self.summing @ np.nan_to_num(bottom))
        began = np.asarray(self.summing @ np.isfinite(bottom).astype(np.float32)) > 0
        return np.where(began, added, np.nan)

    def reconciled(self, forecasts: np.ndarray, variance: np.ndarray, *, nonnegative: bool = True) -> np.ndarray:
        """Forecasts (nodes, h) that add up.

        Args:
            forecasts: (nodes, h) of each node by itself.
            variance: (nodes,) of their errors, above 0.
            nonnegative: the bottom series are not below 0, whatever that does to the distances.
        """
        from scipy import sparse
        from scipy.sparse.linalg import splu

        count = self.summing.shape[1]
        upper = self.summing[count:]
        below, above = np.maximum(variance[:count], 1e-9), np.maximum(variance[count:], 1e-9)
        # what the levels above know better, handed down by variance: exact, and one factorization for all steps
        spread = (sparse.diags(above) + upper @ sparse.diags(below) @ upper.T).tocsc()
        surprise = forecasts[count:] - upper @ forecasts[:count]
        bottom = forecasts[:count] + below[:, None] * (upper.T @ splu(spread).solve(np.ascontiguousarray(surprise)))
        return np.asarray(self.summing @ (np.maximum(bottom, 0.0) if nonnegative else bottom))
