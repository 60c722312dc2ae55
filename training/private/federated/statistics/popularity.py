"""Plays of each track, of all listeners."""

from collections.abc import Sequence

from training.exact.sums import Sums
from training.models.recommendation.popularity import POPULAR, Popularity
from training.private.federated.layout import Dense, TableWords
from training.private.federated.statistic import Scope, SiloData, Statistic


def _tables(scope: Scope) -> Sequence[TableWords]:
    return [TableWords(POPULAR, Dense(1, len(scope.catalogue.items)))]


def _count(data: SiloData, scope: Scope) -> Sums:
    return Popularity(**scope.agreement.parameters.get("popularity", {})).count(data.plays, scope.agreement.cutoff)


STATISTIC = Statistic("popularity", "plays of each track: popularity", _tables, _count)
