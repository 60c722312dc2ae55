"""How many listen to an artist, and whether they stay."""

from feast.types import Float64, Int64

from feature_repo.entities import artist
from feature_repo.sources import feature_table, per_window

artist_popularity = feature_table(
    "artist_popularity",
    entities=[artist],
    schema=[
        *per_window("plays", Int64),
        *per_window("listeners", Int64),
        *per_window("skip_rate", Float64),
    ],
    description="Plays, distinct listeners and share skipped of one artist, trailing windows",
)
