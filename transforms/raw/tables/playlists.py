"""Playlists of a foreign source, without their tracks."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class Playlists(Timed):
    """One row per playlist and change of it; ``tracks`` is their number."""

    playlist_id = key_column()
    name = dy.String(nullable=True)
    description = dy.String(nullable=True)
    collaborative = dy.Bool(nullable=True)
    followers = dy.Int64(nullable=True, min=0)
    edits = dy.Int64(nullable=True, min=0)
    tracks = dy.Int64(nullable=True, min=0)


PLAYLISTS = RawTable(
    "playlists",
    Playlists,
    key=("playlist_id",),
    changes_slowly=True,
    personal=("name", "description"),
    retention="1825d",
)
