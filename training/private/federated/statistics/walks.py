"""Walks from a track over its listeners to their other tracks. RP3beta is solved from them."""

from collections.abc import Sequence

from training.exact import walks
from training.exact.sums import Sums
from training.models.recommendation.rp3beta import RP3Beta
from training.models.recommendation.weighting import Weighting
from training.private.federated.layout import Dense, TableWords, Triangle
from training.private.federated.statistic import Scope, SiloData, Statistic


def _tables(scope: Scope) -> Sequence[TableWords]:
    items = len(scope.catalogue.items)
    return [TableWords(walks.WALKS, Triangle(items)), TableWords(walks.LISTENERS, Dense(1, items))]


def _count(data: SiloData, scope: Scope) -> Sums:
    cutoff = scope.agreement.cutoff
    played = Weighting().matrix(data.plays.before(cutoff), cutoff)
    return walks.count(played, float(scope.agreement.parameters.get("alpha", RP3Beta.alpha)))


STATISTIC = Statistic("walks", "walks over common listeners: RP3beta", _tables, _count)
