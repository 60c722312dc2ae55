"""What a listener has heard: the filter of seen tracks, and the ground of every reason that is given."""

from feast import Field
from feast.types import Array, Int64, String

from feature_repo.entities import user
from feature_repo.sources import feature_table

user_history = feature_table(
    "user_history",
    entities=[user],
    schema=[
        Field(name="track_ids", dtype=Array(String), description="newest first, 1,000 at most"),
        Field(name="distinct_tracks", dtype=Int64, description="over the whole history"),
    ],
    description="Distinct tracks of one listener since the beginning, most recently played first",
)
