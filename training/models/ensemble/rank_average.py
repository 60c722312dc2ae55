"""The mean of the members' ranks, for scores on different scales."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from training.models.ensemble.members import Members, checked


@dataclass
class RankAverageEnsemble:
    """The mean rank within each list, from 0 for the lowest score to 1 for the highest; ties share their mean rank.

    Attributes:
        weights: member → weight; equal weights if None. The weights need not sum to 1.
        names: names of the members, set by ``fit``.
    """

    weights: dict[str, float] | None = None
    names: tuple[str, ...] = ()

    def fit(self, members: Members) -> "RankAverageEnsemble":
        """Store the names of the members."""
        self.names = members.names
        return self

    def combine(self, values: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
        """Combine scores (n, k) of rows in lists ``group`` (n,) into (n,); all rows form one list if it is None."""
        values = checked(values, self.names)
        group = np.zeros(len(values), np.int64) if group is None else np.unique(group, return_inverse=True)[1]
        weights = np.array([1.0 if self.weights is None else self.weights.get(name, 0.0) for name in self.names])
        ranks = np.column_stack([ranks_within(column, group) for column in values.T]) if len(values) else values
        return ranks @ (weights / weights.sum())


def ranks_within(scores: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return (n,) the rank of each score within its group (numbers from 0), scaled to 0–1; 0.5 in a group of one.

    >>> ranks_within(np.array([3.0, 1.0, 2.0, 9.0]), np.array([0, 0, 0, 1])).tolist()
    [1.0, 0.0, 0.5, 0.5]
    """
    table = pl.DataFrame({"score": scores, "group": group})
    ranks = table.select(pl.col("score").rank("average").over("group")).to_series().to_numpy()
    sizes = np.bincount(group)[group]
    return np.where(sizes > 1, (ranks - 1) / np.maximum(sizes - 1, 1), 0.5)
