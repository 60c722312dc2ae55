"""Amount and breadth of a listener's plays."""

from feature_repo.definitions.events.plays import plays
from feature_repo.windows import Count, Distinct, Rate, Sum, WindowedTable

user_listening = WindowedTable(
    name="user_listening",
    about="Plays, time listened (ms), share skipped and breadth of one listener",
    source=plays,
    keys=("user_id",),
    windows=("1d", "7d", "28d"),
    features={
        "plays": Count(),
        "listening_ms": Sum("ms_played"),
        "skip_rate": Rate("skipped"),
        "distinct_tracks": Distinct("track_id"),
        "distinct_artists": Distinct("artist_id"),
    },
)
