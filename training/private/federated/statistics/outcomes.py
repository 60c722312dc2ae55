"""Plays and skips of each track: what a bundle says of how a track was received."""

from collections.abc import Sequence

import numpy as np

from training.exact import play_counts
from training.exact.sums import Sums
from training.private.federated.layout import Dense, TableWords
from training.private.federated.statistic import Scope, SiloData, Statistic

LIKED, SKIPPED = "liked", "skipped"


def _tables(scope: Scope) -> Sequence[TableWords]:
    return [TableWords(name, Dense(1, len(scope.catalogue.items))) for name in (LIKED, SKIPPED)]


def _count(data: SiloData, scope: Scope) -> Sums:
    past = data.plays.before(scope.agreement.cutoff)
    tracks = {LIKED: past.track[~past.skipped], SKIPPED: past.track[past.skipped]}
    groups = {name: (track, np.ones(len(track))) for name, track in tracks.items()}
    return play_counts.count(groups, past.shape[1], bits=0)


STATISTIC = Statistic("outcomes", "plays to the end and skips of each track", _tables, _count)
