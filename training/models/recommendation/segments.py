"""Segments of listeners by country and age, and the popularity of tracks in each of them."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from feature_repo.home import Home
from training.datasets import Interactions, training_set
from training.exact import play_counts
from training.exact.bounds import newest_plays
from training.exact.sums import Sums
from training.models.recommendation.knowledge import POPULAR_DAYS
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from transforms.pure.candidates.cold import SegmentPopularity, segments

SEGMENT_SERVICE = "user_segment_v1"
"""Feature service of the profiles from which the segments follow."""
_COUNTRY, _BIRTH_YEAR = "user_profile__country", "user_profile__birth_year"

EVERYBODY, PREFIX = "everybody", "segment "
"""Names of the tables: of all plays, and before the name of each segment."""


def segments_of_users(home: Home, interactions: Interactions, cutoff: int) -> dict[int, tuple[str, ...]]:
    """Returns user → segments, from the profiles as known at the cutoff."""
    ids = pl.Series(interactions.user_ids, dtype=pl.String)
    stamp = pl.repeat(cutoff, len(ids), dtype=pl.Int64, eager=True).cast(pl.Datetime("us", "UTC"))
    rows = training_set(SEGMENT_SERVICE, pl.DataFrame({"user_id": ids, "event_timestamp": stamp}), home=home).data
    profiles = dict(zip(rows["user_id"], rows.select(_COUNTRY, _BIRTH_YEAR).iter_rows(), strict=True))
    return {user: segments(*profiles.get(id_, (None, None))) for user, id_ in enumerate(interactions.user_ids)}


def count(
    interactions: Interactions,
    cutoff: int,
    user_segments: Mapping[int, tuple[str, ...]],
    most_plays: int | None = None,
) -> Sums:
    """Counts plays by segment in the weeks before the cutoff, of any people: one table a segment, and ``EVERYBODY``.

    Args:
        interactions: plays of the people.
        cutoff: µs since 1970 UTC.
        user_segments: user → segments.
        most_plays: newest plays of a listener and a track that count; None for all.
    """
    recent = interactions.between(cutoff - POPULAR_DAYS * MICROSECONDS_A_DAY, cutoff)
    if most_plays is not None:
        recent = recent.only(newest_plays(recent.user, recent.track, most_plays))
    names = sorted({name for memberships in user_segments.values() for name in memberships})
    column_of = {name: column for column, name in enumerate(names)}
    is_member = np.zeros((interactions.shape[0], len(names)), bool)
    for user, memberships in user_segments.items():
        is_member[user, [column_of[name] for name in memberships]] = True
    tracks = {PREFIX + name: recent.track[is_member[recent.user, column]] for name, column in column_of.items()}
    tracks[EVERYBODY] = recent.track
    groups = {name: (played, np.ones(len(played))) for name, played in tracks.items()}
    return play_counts.count(groups, interactions.shape[1], bits=0)


def solve(sums: Sums) -> SegmentPopularity:
    """Reads the popularity of tracks in segments off the sums of ``count``."""
    segment_tables = {
        name.removeprefix(PREFIX): (sums[name].indices, sums[name].data)
        for name in sums.tables
        if name.startswith(PREFIX) and sums[name].nnz
    }
    return SegmentPopularity.of(segment_tables, sums[EVERYBODY].toarray()[0])


def count_popularity(
    interactions: Interactions,
    cutoff: int,
    user_segments: Mapping[int, tuple[str, ...]],
    most_plays: int | None = None,
) -> SegmentPopularity:
    """Counts plays by segment in the weeks before the cutoff, as ``count`` does."""
    return solve(count(interactions, cutoff, user_segments, most_plays))
