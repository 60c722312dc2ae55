"""Current session of a listener; a row after every play."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, DecayedSum, LastN, Rate, Sum, TimeSinceLast, TopK, WindowedTable

user_session = WindowedTable(
    name="user_session",
    about="The last hour, day and week of one listener, as of the last play",
    source=plays,
    keys=("user_id",),
    windows=("1h", "1d", "7d"),
    features={
        "plays": Count(),
        "listening_ms": Sum("ms_played"),
        "skip_rate": Rate("skipped"),
        "last_tracks": LastN("track_id", n=20, over=("1d",)),
        "top_artists": TopK("artist_id", k=5, over=("7d",)),
        "intensity": DecayedSum(half_life="1d"),
        "idle_seconds": TimeSinceLast(),
    },
    every="event",
)
