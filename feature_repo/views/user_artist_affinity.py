"""What one listener makes of one artist."""

from feast.types import Float64, Int64

from feature_repo.entities import artist, user
from feature_repo.sources import feature_table, per_window

user_artist_affinity = feature_table(
    "user_artist_affinity",
    entities=[user, artist],
    schema=[*per_window("plays", Int64), *per_window("skip_rate", Float64)],
    description="Plays and share skipped of one listener with one artist, trailing windows",
)
