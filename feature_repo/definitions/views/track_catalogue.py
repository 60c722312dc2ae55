"""Catalogue data of a track, as supplied by its label."""

from feast import Field
from feast.types import Array, Bool, Int64, String, UnixTimestamp

from feature_repo.definitions.entities import track
from feature_repo.sources import feature_table

track_catalogue = feature_table(
    "track_catalogue",
    entities=[track],
    schema=[
        Field(name="title", dtype=String),
        Field(name="artist_id", dtype=String),
        Field(name="artist_name", dtype=String),
        Field(name="genres", dtype=Array(String)),
        Field(name="duration_ms", dtype=Int64),
        Field(name="explicit", dtype=Bool),
        Field(name="released", dtype=UnixTimestamp),
        Field(name="available", dtype=Bool, description="false where it has been taken down"),
        Field(name="regions", dtype=Array(String), description="countries where it may be played; missing: all"),
    ],
    description="Title, artist, genres, length, release and rights of one track, from its arrival and every change on",
    columns={"*": "tracks.{feature}"},
)
