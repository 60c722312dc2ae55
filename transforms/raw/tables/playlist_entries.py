"""Tracks of playlists, in their order: somebody chose them together, and nobody is known to have heard them."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class PlaylistEntries(Timed):
    """One row per place in a playlist, from 0, as of the playlist's last change."""

    playlist_id = key_column()
    position = dy.Int64(nullable=False, min=0)
    track_id = key_column()
    artist_id = dy.String(nullable=True)


PLAYLIST_ENTRIES = RawTable("playlist_entries", PlaylistEntries, key=("playlist_id", "position", "event_timestamp"))
