"""Listening history of a listener, for the filter of known tracks and for explanations."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Distinct, LastN, WindowedTable

user_history = WindowedTable(
    name="user_history",
    about="Distinct tracks of one listener since the beginning, most recently played first, 1,000 at most",
    source=plays,
    keys=("user_id",),
    windows=("lifetime",),
    features={
        "track_ids": LastN("track_id", n=1_000, distinct=True, times=False),
        "distinct_tracks": Distinct("track_id"),
    },
)
