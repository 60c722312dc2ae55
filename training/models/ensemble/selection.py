"""Dynamic selection: separate weights for each segment of rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from training.models.ensemble.members import Members, checked
from training.models.ensemble.weighted import Loss, WeightedEnsemble, mean_absolute_error


@dataclass
class SelectionEnsemble:
    """A weighted ensemble for each segment with enough rows, and one on all rows for other and new segments.

    Attributes:
        loss: loss to minimise.
        least: minimum number of rows of a segment with its own weights.
        whole: ensemble fitted to all rows, set by ``fit``.
        by_segment: segment → its ensemble, set by ``fit``.
    """

    loss: Loss = mean_absolute_error
    least: int = 200
    whole: WeightedEnsemble = field(default_factory=WeightedEnsemble)
    by_segment: dict[str, WeightedEnsemble] = field(default_factory=dict)

    def fit(self, members: Members, segment: np.ndarray) -> "SelectionEnsemble":
        """Choose the weights; ``segment`` (n,) are the segment names of the rows."""
        self.whole = WeightedEnsemble(self.loss).fit(members)
        self.by_segment = {}
        for name in np.unique(segment).tolist():
            in_segment = segment == name
            if in_segment.sum() >= self.least:
                segment_members = Members(
                    members.names, members.values[in_segment], members.truth[in_segment], members.group[in_segment]
                )
                self.by_segment[str(name)] = WeightedEnsemble(self.loss).fit(segment_members)
        return self

    def combine(self, values: np.ndarray, segment: np.ndarray) -> np.ndarray:
        """Combine predictions (n, k) of rows in segments (n,) into (n,)."""
        names = tuple(self.whole.weights)
        values = checked(values, names)
        combined = self.whole.combine(values)
        for name, ensemble in self.by_segment.items():
            in_segment = segment == name
            combined[in_segment] = ensemble.combine(values[in_segment])
        return combined

    @property
    def weights(self) -> Mapping[str, Mapping[str, float]]:
        """Segment → member → weight; ``""`` stands for all other segments."""
        return {"": self.whole.weights, **{name: ensemble.weights for name, ensemble in self.by_segment.items()}}
