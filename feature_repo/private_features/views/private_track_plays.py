"""Plays and listeners of a track on a day, with noise."""

from feature_repo.definitions.entities import track
from feature_repo.private_counts import PrivateCounts

private_track_plays = PrivateCounts(
    "private_track_plays",
    about="Plays and listeners of one track on a day",
    events="plays",
    key="track_id",
    items=16,
    value=2,
    epsilon=4.0,
    delta=1e-6,
)
view = private_track_plays.view(track)
