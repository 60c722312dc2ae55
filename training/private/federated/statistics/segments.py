"""Plays of each track in the last weeks, by segment of listeners. The segments are those of the agreement.

What a silo has in other segments counts for everybody, and in no segment.
"""

from collections.abc import Sequence

from training.exact.sums import Sums
from training.models.recommendation import segments
from training.models.recommendation.knowledge import MOST_PLAYS
from training.private.federated.layout import Dense, TableWords
from training.private.federated.statistic import Scope, SiloData, Statistic


def _tables(scope: Scope) -> Sequence[TableWords]:
    names = [segments.EVERYBODY, *(segments.PREFIX + name for name in scope.agreement.segments)]
    return [TableWords(name, Dense(1, len(scope.catalogue.items))) for name in names]


def _count(data: SiloData, scope: Scope) -> Sums:
    public = set(scope.agreement.segments)
    memberships = {user: tuple(name for name in names if name in public) for user, names in data.segments.items()}
    return segments.count(data.plays, scope.agreement.cutoff, memberships, MOST_PLAYS)


STATISTIC = Statistic("segments", "recent plays by segment: popularity of new listeners", _tables, _count)
