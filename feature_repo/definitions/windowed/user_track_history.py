"""What a listener has heard of a track: the exact, lifelong answer to "have they heard it?", up to the last play."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, TimeSinceLast, WindowedTable

user_track_history = WindowedTable(
    name="user_track_history",
    about="Plays of one track by one listener since the beginning, and the time of the last one",
    source=plays,
    keys=("user_id", "track_id"),
    windows=("lifetime",),
    features={
        "plays": Count(),
        "idle_seconds": TimeSinceLast(),
    },
    every="event",
)
