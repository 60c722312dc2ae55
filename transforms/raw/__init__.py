"""The raw tables: what happened, as it was told to us.

One schema a file. ``ingest`` is the only writer: it validates every row, puts refused ones with their reasons into
quarantine, and never stores the same event twice. Tables of events lie in one file per day of ``event_timestamp``;
tables of things that change slowly (users, tracks, artists) keep one row per change in one file.
"""

from transforms.raw.artists import ARTISTS
from transforms.raw.chart_entries import CHART_ENTRIES
from transforms.raw.friendships import FRIENDSHIPS
from transforms.raw.play_counts import PLAY_COUNTS
from transforms.raw.plays import PLAYS
from transforms.raw.table import RawTable
from transforms.raw.tags import TAGS
from transforms.raw.tracks import TRACKS
from transforms.raw.users import USERS

TABLES: dict[str, RawTable] = {
    table.name: table for table in (USERS, TRACKS, ARTISTS, PLAYS, TAGS, PLAY_COUNTS, FRIENDSHIPS, CHART_ENTRIES)
}

__all__ = ["TABLES", "RawTable"]
