"""How often a track is played after another by the same person. Transitions are solved from it."""

from collections.abc import Sequence

from training.exact.follows import ORDERED, TIED
from training.exact.sums import Sums
from training.models.recommendation.knowledge import FOLLOWS
from training.private.federated.layout import Dense, TableWords
from training.private.federated.statistic import Scope, SiloData, Statistic


def _tables(scope: Scope) -> Sequence[TableWords]:
    items = len(scope.catalogue.items)
    return [TableWords(ORDERED, Dense(items, items)), TableWords(TIED, Dense(items, items))]


def _count(data: SiloData, scope: Scope) -> Sums:
    return FOLLOWS.count(data.plays, scope.agreement.cutoff)


STATISTIC = Statistic("follows", "which track is played after which: transitions", _tables, _count)
