"""Segments of listeners by country and age, and the popularity of tracks in each of them."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from feature_repo.home import Home
from training.datasets import Interactions, training_set
from training.models.recommendation.knowledge import POPULAR_DAYS
from training.models.recommendation.weighting import MICROSECONDS_A_DAY
from transforms.pure.candidates.cold import SegmentPopularity, segments

SEGMENT_SERVICE = "user_segment_v1"
"""Feature service of the profiles from which the segments follow."""
_COUNTRY, _BIRTH_YEAR = "user_profile__country", "user_profile__birth_year"


def segments_of_users(home: Home, interactions: Interactions, cutoff: int) -> dict[int, tuple[str, ...]]:
    """Returns user → segments, from the profiles as known at the cutoff."""
    ids = pl.Series(interactions.user_ids, dtype=pl.String)
    stamp = pl.repeat(cutoff, len(ids), dtype=pl.Int64, eager=True).cast(pl.Datetime("us", "UTC"))
    rows = training_set(SEGMENT_SERVICE, pl.DataFrame({"user_id": ids, "event_timestamp": stamp}), home=home).data
    profiles = dict(zip(rows["user_id"], rows.select(_COUNTRY, _BIRTH_YEAR).iter_rows(), strict=True))
    return {user: segments(*profiles.get(id_, (None, None))) for user, id_ in enumerate(interactions.user_ids)}


def count_popularity(
    interactions: Interactions, cutoff: int, user_segments: Mapping[int, tuple[str, ...]]
) -> SegmentPopularity:
    """Counts plays by segment in the weeks before the cutoff."""
    recent = interactions.between(cutoff - POPULAR_DAYS * MICROSECONDS_A_DAY, cutoff)
    names = sorted({name for memberships in user_segments.values() for name in memberships})
    column_of = {name: column for column, name in enumerate(names)}
    is_member = np.zeros((interactions.shape[0], len(names)), bool)
    for user, memberships in user_segments.items():
        is_member[user, [column_of[name] for name in memberships]] = True
    plays_by_segment = ((name, recent.track[is_member[recent.user, column]]) for name, column in column_of.items())
    of_all = np.bincount(recent.track, minlength=interactions.shape[1]).astype(float)
    return SegmentPopularity.count(plays_by_segment, of_all)
