"""The sums that parts of the bundle are solved from, as they are kept beside it: by tracks, and of no listener.

``segments.npz`` and popularity follow from the plays by segment, ``follows.npz`` from the pairs of plays, and
``similar.npz`` from the pairs of tracks of the same listeners, where EASE is solved on the side of the tracks. On the
listeners' side, and for RP3beta, nothing is kept: the first has a row for each listener, the second too many pairs.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from feature_repo.home import Home
from training.datasets import Interactions
from training.exact import gram
from training.exact.kept import KeptSums
from training.exact.sums import Sums
from training.models.recommendation import segments
from training.models.recommendation.ease import EASE, is_primal
from training.models.recommendation.knowledge import FOLLOWS, MOST_PLAYS, is_for_ease
from training.models.recommendation.trust import not_learned_from
from transforms.raw.read import plays


def keep_sums(interactions: Interactions, cutoff: int, user_segments: Mapping[int, tuple[str, ...]]) -> KeptSums:
    """Counts the sums of listeners before a cutoff.

    Args:
        interactions: the plays that are learned from.
        cutoff: µs since 1970 UTC.
        user_segments: user → segments.
    """
    sums = _count(interactions, cutoff, user_segments)
    rows = EASE().rows(interactions, cutoff)
    if is_for_ease(interactions) and is_primal(rows):
        sums += gram.count(rows)
    return KeptSums(interactions.track_ids, cutoff, sums)


def share_of(home: Home, kept: KeptSums, user_ids: Sequence[str]) -> Sums:
    """Counts what some listeners have in kept sums, from their raw plays; nothing of those who were left out.

    Args:
        home: the data folder, with the plays of these listeners.
        kept: the sums.
        user_ids: the listeners.

    Raises:
        StoreError: features are not applied.
    """
    learned = set(user_ids) - not_learned_from(home, user_ids, kept.cutoff)
    interactions = _plays_of(home, kept, sorted(learned))
    memberships = {
        user: tuple(name for name in names if segments.PREFIX + name in kept.sums.tables)  # silos count some segments
        for user, names in segments.segments_of_users(home, interactions, kept.cutoff).items()
    }
    sums = _count(interactions, kept.cutoff, memberships)
    if gram.NAME in kept.sums.tables:
        sums += gram.count(EASE().rows(interactions, kept.cutoff))
    return sums


def _count(interactions: Interactions, cutoff: int, user_segments: Mapping[int, tuple[str, ...]]) -> Sums:
    follows = FOLLOWS.count(interactions, cutoff)
    return follows + segments.count(interactions, cutoff, user_segments, MOST_PLAYS)


def _plays_of(home: Home, kept: KeptSums, user_ids: Sequence[str]) -> Interactions:
    """The plays of some listeners, with the tracks numbered as in kept sums; those of later tracks are left out."""
    users, tracks = sorted(user_ids), pl.Series(kept.items, dtype=pl.String)
    rows = (
        plays(home)
        .select("user_id", "track_id", "event_timestamp")
        .filter(pl.col("user_id").is_in(users), pl.col("track_id").is_in(tracks.implode()))
        .collect()
        .sort("event_timestamp", "user_id", "track_id")
    )
    return Interactions(
        users,
        kept.items,
        [None] * len(kept.items),
        np.searchsorted(np.array(users, np.str_), rows["user_id"].to_numpy().astype(np.str_)).astype(np.int64),
        rows["track_id"].replace_strict(tracks, np.arange(len(tracks)), return_dtype=pl.Int64).to_numpy(),
        rows["event_timestamp"].dt.timestamp("us").to_numpy(),
    )
