"""Collaborative-filtering vectors of listeners, tracks and artists, from one fit, with its cutoff as event time."""

from feast import Field
from feast.types import Array, Float32, Int64

from feature_repo.definitions.entities import artist, track, user
from feature_repo.sources import feature_table

VECTOR = [
    Field(name="vector", dtype=Array(Float32)),
    Field(name="fit", dtype=Int64, description="identity of the fit; vectors of two fits never mix"),
]

user_taste = feature_table(
    "user_taste", entities=[user], schema=VECTOR, description="Collaborative-filtering vector of a listener"
)
track_taste = feature_table(
    "track_taste", entities=[track], schema=VECTOR, description="Collaborative-filtering vector of a track"
)
artist_taste = feature_table(
    "artist_taste",
    entities=[artist],
    schema=VECTOR,
    description="Mean collaborative-filtering vector of an artist's tracks, each by its listeners",
)
