"""The catalogue of tracks."""

import dataframely as dy

from transforms.raw.table import MICROSECONDS_UTC, RawTable, Timed, key_column


class Tracks(Timed):
    """One row per track and change of its entry, which holds from ``event_timestamp`` on."""

    track_id = key_column()
    artist_id = dy.String(nullable=True)
    artist_name = dy.String(nullable=True)
    title = dy.String(nullable=True)
    album = dy.String(nullable=True)
    isrc = dy.String(nullable=True)
    mbid = dy.String(nullable=True)
    genres = dy.List(dy.String(nullable=False), nullable=True)
    duration_ms = dy.Int64(nullable=True, min=0)
    explicit = dy.Bool(nullable=True)
    released = dy.Datetime(time_unit=MICROSECONDS_UTC.time_unit, time_zone=MICROSECONDS_UTC.time_zone, nullable=True)
    available = dy.Bool(nullable=True)
    regions = dy.List(dy.String(nullable=False), nullable=True)


TRACKS = RawTable("tracks", Tracks, key=("track_id",), changes_slowly=True)
