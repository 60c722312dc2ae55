"""The mean of the members' ranks, for scores that do not share a scale."""

from dataclasses import dataclass

import numpy as np

from training.models.ensemble.members import Members, checked


@dataclass
class RankAverageEnsemble:
    """Ranks within each list, 0 for the lowest score to 1 for the highest; ties share their mean rank.

    Attributes:
        weights: member → weight; all the same if left out. Adding up to 1 is not needed.
        names: of the members, once fitted.
    """

    weights: dict[str, float] | None = None
    names: tuple[str, ...] = ()

    def fit(self, members: Members) -> "RankAverageEnsemble":
        """Take note of the members."""
        self.names = members.names
        return self

    def combine(self, values: np.ndarray, group: np.ndarray | None = None) -> np.ndarray:
        """(n, k) scores of rows in lists ``group`` (n,) → (n,); one list if left out."""
        values = checked(values, self.names)
        group = np.zeros(len(values), np.int64) if group is None else np.unique(group, return_inverse=True)[1]
        weights = np.array([1.0 if self.weights is None else self.weights.get(name, 0.0) for name in self.names])
        ranks = np.column_stack([ranks_within(column, group) for column in values.T]) if len(values) else values
        return ranks @ (weights / weights.sum())


def ranks_within(scores: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(n,) rank of each score among those of its group (numbers from 0), scaled to 0–1; 0.5 where it is alone.

    >>> ranks_within(np.array([3.0, 1.0, 2.0, 9.0]), np.array([0, 0, 0, 1])).tolist()
    [1.0, 0.0, 0.5, 0.5]
    """
    order = np.lexsort((scores, group))
    sizes = np.bincount(group)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.arange(len(scores)) - first
    fresh = np.ones(len(scores), bool)
    fresh[1:] = (np.diff(scores[order]) != 0) | (np.diff(group[order]) != 0)
    run = np.cumsum(fresh) - 1
    mean_place = np.bincount(run, weights=place) / np.bincount(run)
    size = np.repeat(sizes, sizes)
    found = np.empty(len(scores))
    found[order] = np.where(size > 1, mean_place[run] / np.maximum(size - 1, 1), 0.5)
    return found
