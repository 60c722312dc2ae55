"""Catalogue data of a track, as the label reports it (view ``track_catalogue``)."""

import polars as pl

from transforms.batch.features.feature_table import FeatureTable


def track_catalogue(tracks: pl.DataFrame) -> pl.DataFrame:
    """Returns one row for each arrival and each change of a track, stamped when it happened."""
    return tracks.select(
        "track_id",
        "event_timestamp",
        "created_timestamp",
        "title",
        "artist_id",
        "artist_name",
        "genres",
        "duration_ms",
        "explicit",
        "released",
        "available",
        "regions",
    )


TABLE = FeatureTable("track_catalogue", source="tracks", compute=track_catalogue)
