"""Dynamic selection: weights of its own for each segment of rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from training.models.ensemble.members import Members, checked
from training.models.ensemble.weighted import Loss, WeightedEnsemble, mean_absolute_error


@dataclass
class SelectionEnsemble:
    """A weighted ensemble for each segment with enough rows, one over all for the others and for new segments.

    Attributes:
        loss: to be made small.
        least: rows that a segment needs for weights of its own.
        whole: the ensemble over all, once fitted.
        by_segment: segment → its ensemble.
    """

    loss: Loss = mean_absolute_error
    least: int = 200
    whole: WeightedEnsemble = field(default_factory=WeightedEnsemble)
    by_segment: dict[str, WeightedEnsemble] = field(default_factory=dict)

    def fit(self, members: Members, segment: np.ndarray) -> "SelectionEnsemble":
        """Choose weights for rows of segments (n,), which are texts."""
        self.whole = WeightedEnsemble(self.loss).fit(members)
        self.by_segment = {}
        for name in np.unique(segment).tolist():
            mine = segment == name
            if mine.sum() >= self.least:
                some = Members(members.names, members.values[mine], members.truth[mine], members.group[mine])
                self.by_segment[str(name)] = WeightedEnsemble(self.loss).fit(some)
        return self

    def combine(self, values: np.ndarray, segment: np.ndarray) -> np.ndarray:
        """(n, k) and (n,) → (n,)."""
        names = tuple(self.whole.weights)
        values = checked(values, names)
        found = self.whole.combine(values)
        for name, ensemble in self.by_segment.items():
            mine = segment == name
            found[mine] = ensemble.combine(values[mine])
        return found

    @property
    def weights(self) -> Mapping[str, Mapping[str, float]]:
        """Segment → member → weight; ``""`` for all others."""
        return {"": self.whole.weights, **{name: one.weights for name, one in self.by_segment.items()}}
