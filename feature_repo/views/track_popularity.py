"""How many listen to a track, and whether they stay."""

from feast.types import Float64, Int64

from feature_repo.entities import track
from feature_repo.sources import feature_table, per_window

track_popularity = feature_table(
    "track_popularity",
    entities=[track],
    schema=[
        *per_window("plays", Int64),
        *per_window("listeners", Int64),
        *per_window("skip_rate", Float64),
    ],
    description="Plays, distinct listeners and share skipped of one track, trailing windows",
)
