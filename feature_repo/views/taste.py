"""Vectors of collaborative filtering: a listener's and a track's, from the same fit, stamped with its cutoff."""

from feast import Field
from feast.types import Array, Float32, Int64

from feature_repo.entities import track, user
from feature_repo.sources import feature_table

_schema = [
    Field(name="vector", dtype=Array(Float32)),
    Field(name="fit", dtype=Int64, description="identity of the fit; vectors of two fits never mix"),
]

user_taste = feature_table(
    "user_taste", entities=[user], schema=_schema, description="Collaborative-filtering vector of a listener"
)
track_taste = feature_table(
    "track_taste", entities=[track], schema=_schema, description="Collaborative-filtering vector of a track"
)
