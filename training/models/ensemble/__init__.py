"""Ensembles: several models of any family together.

``Members`` holds what each member said about the same rows, and what each knew when it said so. An ensemble has
``fit(members) → itself`` and ``combine(values) → (n,)``, where ``values`` (n, k) is what the members say now, in the
same order. Whether it learns weights or not, ``fit`` refuses members whose errors are leaked: predictions of rows that
a member was fitted on flatter it, and whatever is learned from them.

- ``mean``, ``median``: nothing to learn; hard to beat where members are alike.
- ``rank_average``: scores of different kinds (probabilities, distances, ranks) within each list.
- ``weighted``: weights that are best by any loss (greedy selection).
- ``stacking``: a model over the members' predictions.
- ``selection``: a choice of weights for each segment, such as series that are mostly zero.
"""

from training.models.ensemble.mean import MeanEnsemble
from training.models.ensemble.median import MedianEnsemble
from training.models.ensemble.members import LeakError, Members
from training.models.ensemble.rank_average import RankAverageEnsemble
from training.models.ensemble.selection import SelectionEnsemble
from training.models.ensemble.stacking import StackingEnsemble
from training.models.ensemble.weighted import WeightedEnsemble

__all__ = [
    "LeakError",
    "MeanEnsemble",
    "MedianEnsemble",
    "Members",
    "RankAverageEnsemble",
    "SelectionEnsemble",
    "StackingEnsemble",
    "WeightedEnsemble",
]
