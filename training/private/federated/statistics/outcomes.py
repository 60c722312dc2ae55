"""Plays to the end and skips of each track, and the number of listeners: how a track was received."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from training.exact import play_counts
from training.exact.sums import Sums, Table
from training.private.federated.layout import Dense, TableWords
from training.private.federated.statistic import Scope, SiloData, Statistic

LIKED, SKIPPED, LISTENERS = "liked", "skipped", "all listeners"


def _tables(scope: Scope) -> Sequence[TableWords]:
    layout = Dense(1, len(scope.catalogue.items))
    return [TableWords(LIKED, layout), TableWords(SKIPPED, layout), TableWords(LISTENERS, Dense(1, 1))]


def _count(data: SiloData, scope: Scope) -> Sums:
    past = data.plays.before(scope.agreement.cutoff)
    tracks = {LIKED: past.track[~past.skipped], SKIPPED: past.track[past.skipped]}
    groups = {name: (track, np.ones(len(track))) for name, track in tracks.items()}
    listeners = len(np.unique(past.user))
    total = Table.of(sparse.csr_array([[listeners]]), listeners, LISTENERS)
    return play_counts.count(groups, past.shape[1], bits=0) + Sums({LISTENERS: total})


STATISTIC = Statistic("outcomes", "plays to the end and skips of each track", _tables, _count)
