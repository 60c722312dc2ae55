"""Which recording and which song a track is, under whatever spelling (view ``track_identity``)."""

import polars as pl

from transforms.batch.catalogue.links import Track, identities
from transforms.batch.catalogue.spelling import spelled


def track_identity(tracks: pl.DataFrame) -> pl.DataFrame:
    """One row a track, when its title was first known; it is told by tracks that were known before it."""
    known = (
        tracks.drop_nulls("title")
        .sort("event_timestamp", "created_timestamp", "track_id")
        .unique("track_id", keep="first", maintain_order=True)
        .select(
            "track_id",
            "title",
            pl.col("artist_name").fill_null(pl.col("artist_id")),
            "event_timestamp",
            "created_timestamp",
        )
    )
    rows = [Track(*row) for row in known.select("track_id", "title", "artist_name").fill_null("").iter_rows()]
    found = identities(rows)
    learned = known["created_timestamp"]
    both = pl.max_horizontal("created_timestamp", learned.gather([one.recording for one in found]).alias("first"))
    return known.select("track_id", "event_timestamp", both.alias("created_timestamp")).with_columns(
        pl.Series("recording_id", [rows[one.recording].track_id for one in found], dtype=pl.String),
        pl.Series("song_id", [rows[one.song].track_id for one in found], dtype=pl.String),
        pl.Series("score", [one.score for one in found], dtype=pl.Float64),
        pl.Series(
            "versions",
            [sorted(spelled(row.title, row.performer).versions) for row in rows],
            dtype=pl.List(pl.String),
        ),
    )
