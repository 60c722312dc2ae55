"""Plays, and the sum of their weights, of each track on each day before the cutoff: tiles of which windows are sums.

``parameters["days"]`` is the number of days, 28 if left out. Of the plays of one listener and one track on a day all
count: a listener's share of a cell is as large as the number of their plays.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from feature_repo.errors import InputError
from training.exact.fixed_point import to_integers
from training.exact.sums import Sums, Table
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from training.private.federated.layout import Dense, TableWords
from training.private.federated.statistic import Scope, SiloData, Statistic

COUNT, TOTAL = "plays of day", "weight of day"
"""Before the number of the day: 0 for the last 24 hours before the cutoff."""
BITS = 20
"""Bits after the point of weights."""
DAYS, MOST_DAYS = 28, 400


def _days(scope: Scope) -> int:
    days = int(scope.agreement.parameters.get("days", DAYS))
    if not 1 <= days <= MOST_DAYS:
        raise InputError(
            expected=f"1 to {MOST_DAYS} days",
            found=f"{days}",
            next_command="refrain model federate join URL  (a coordinator with other terms)",
        )
    return days


def _tables(scope: Scope) -> Sequence[TableWords]:
    layout = Dense(1, len(scope.catalogue.items))
    return [TableWords(f"{name} {day}", layout) for name in (COUNT, TOTAL) for day in range(_days(scope))]


def _count(data: SiloData, scope: Scope) -> Sums:
    cutoff, days = scope.agreement.cutoff, _days(scope)
    recent = data.plays.between(cutoff - days * MICROSECONDS_A_DAY, cutoff)
    day = (cutoff - 1 - recent.time) // MICROSECONDS_A_DAY
    tables = {}
    for name, units in ((COUNT, np.ones(len(day), np.int64)), (TOTAL, to_integers(recent.weight, BITS))):
        bound = int(units.max(initial=0)) * len(units)
        cells = sparse.csr_array((units, (day, recent.track)), (days, recent.shape[1]))
        for number in range(days):
            tables[f"{name} {number}"] = Table.of(cells[[number]], bound, name)
    return Sums(tables)


STATISTIC = Statistic("daily_plays", "plays of each track on each day: windows of any length", _tables, _count)
