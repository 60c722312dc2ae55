"""What the label told us about a track (view ``track_catalogue``)."""

import polars as pl


def track_catalogue(tracks: pl.DataFrame) -> pl.DataFrame:
    """One row per arrival and per change, at the moment it happened."""
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
