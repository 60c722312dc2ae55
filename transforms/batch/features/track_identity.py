"""The recording and the song of a track, whatever its spelling (view ``track_identity``)."""

import polars as pl

from transforms.batch.catalogue.links import Track, identities
from transforms.batch.features.feature_table import FeatureTable
from transforms.pure.text.spelling import spelled


def track_identity(tracks: pl.DataFrame) -> pl.DataFrame:
    """Computes one row for each track, stamped when its title was first known, from earlier tracks alone."""
    first_versions = (
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
    tracks_by_time = first_versions.select("track_id", "title", "artist_name").fill_null("")
    track_list = [Track(*row) for row in tracks_by_time.iter_rows()]
    identity_list = identities(track_list)
    track_created = first_versions["created_timestamp"]
    recording_created = track_created.gather([identity.recording for identity in identity_list]).alias("first")
    created = pl.max_horizontal("created_timestamp", recording_created)
    return first_versions.select("track_id", "event_timestamp", created.alias("created_timestamp")).with_columns(
        pl.Series(
            "recording_id", [track_list[identity.recording].track_id for identity in identity_list], dtype=pl.String
        ),
        pl.Series("song_id", [track_list[identity.song].track_id for identity in identity_list], dtype=pl.String),
        pl.Series("score", [identity.score for identity in identity_list], dtype=pl.Float64),
        pl.Series(
            "versions",
            [sorted(spelled(track.title, track.performer).versions) for track in track_list],
            dtype=pl.List(pl.String),
        ),
    )


TABLE = FeatureTable("track_identity", source="tracks", compute=track_identity)
