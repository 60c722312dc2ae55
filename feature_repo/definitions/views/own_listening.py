"""What a listener played until a model was trained, track by track: what they may want to hear again."""

from feast import Field
from feast.types import Array, Float32, Int64, String

from feature_repo.definitions.entities import user
from feature_repo.sources import feature_table

user_own_listening = feature_table(
    "user_own_listening",
    entities=[user],
    schema=[
        Field(name="track_ids", dtype=Array(String), description="heard tracks"),
        Field(name="plays", dtype=Array(Int64), description="plays of each track"),
        Field(name="last", dtype=Array(Int64), description="time of each track's last play, microseconds since 1970"),
        Field(name="faded", dtype=Array(Float32), description="plays, each half as heavy after four weeks"),
        Field(name="by_part", dtype=Array(Int64), description="plays by eight parts of the day, track after track"),
        Field(name="followers", dtype=Array(Int64), description="numbers of the tracks played soon after, -1 for none"),
        Field(name="follow_weights", dtype=Array(Float32), description="how often, by distance"),
    ],
    description="Own plays of a listener by track; written for few listeners",
)
