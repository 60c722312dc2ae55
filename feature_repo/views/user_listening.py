"""How much and how widely a listener listens."""

from feast.types import Float64, Int64

from feature_repo.entities import user
from feature_repo.sources import feature_table, per_window

user_listening = feature_table(
    "user_listening",
    entities=[user],
    schema=[
        *per_window("plays", Int64),
        *per_window("listening_ms", Int64),
        *per_window("skip_rate", Float64),
        *per_window("distinct_tracks", Int64),
        *per_window("distinct_artists", Int64),
    ],
    description="Plays, time listened (ms), share skipped and breadth of one listener, trailing windows",
)
