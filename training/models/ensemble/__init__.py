"""Ensembles: combinations of several models of any family.

``Members`` holds the predictions of each member for the same rows, checked for leaks: a member may not predict rows
that it was fitted on, since this flatters the member and any weights learned from it. An ensemble has ``fit(members) →
itself`` and ``combine(values) → (n,)``, where ``values`` (n, k) are new predictions in the order of the members.

- ``mean``, ``median``: no weights to learn; hard to beat if members are similar.
- ``rank_average``: mean rank within each list, for scores of different kinds (probabilities, distances, ranks).
- ``weighted``: weights that minimise any loss (greedy selection).
- ``stacking``: a linear model on the members' predictions.
- ``selection``: separate weights for each segment, such as series that are mostly zero.
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
