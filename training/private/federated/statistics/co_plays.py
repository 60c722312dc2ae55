"""XᵀX of the listeners' tracks: how many listeners have both tracks of a pair. EASE and item-kNN are solved from it.

``parameters["ease"]`` may hold settings of EASE's weights (``logarithm``, ``half_life_days``, ``recency``); without
them a track counts once for a listener.
"""

from collections.abc import Sequence

from training.exact import gram
from training.exact.sums import Sums
from training.models.recommendation.ease import EASE
from training.models.recommendation.weighting import Weighting
from training.private.federated.layout import TableWords, Triangle
from training.private.federated.statistic import Scope, SiloData, Statistic


def _tables(scope: Scope) -> Sequence[TableWords]:
    return [TableWords(gram.NAME, Triangle(len(scope.catalogue.items)))]


def _count(data: SiloData, scope: Scope) -> Sums:
    weighting = Weighting(**scope.agreement.parameters.get("ease", {}))
    return gram.count(EASE(training_weighting=weighting).rows(data.plays, scope.agreement.cutoff))


STATISTIC = Statistic("co_plays", "listeners of both tracks of each pair: EASE, item-kNN", _tables, _count)
