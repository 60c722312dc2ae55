"""The raw tables: what happened, as it was told to us.

One schema a file. ``ingest`` is the only writer: it validates every row, puts refused ones with their reasons into
quarantine, and never stores the same event twice. Tables of events lie in one file per day of ``event_timestamp``;
tables of things that change slowly (users, tracks, artists) keep one row per change in one file.
"""

from transforms.raw.artists import ARTISTS
from transforms.raw.audio_analyses import AUDIO_ANALYSES
from transforms.raw.audio_labels import AUDIO_LABELS
from transforms.raw.audio_measurements import AUDIO_MEASUREMENTS
from transforms.raw.chart_entries import CHART_ENTRIES
from transforms.raw.feedback import FEEDBACK
from transforms.raw.friendships import FRIENDSHIPS
from transforms.raw.host_metrics import HOST_METRICS
from transforms.raw.incidents import INCIDENTS
from transforms.raw.log_lines import LOG_LINES
from transforms.raw.logins import LOGINS
from transforms.raw.play_counts import PLAY_COUNTS
from transforms.raw.plays import PLAYS
from transforms.raw.requests import REQUESTS
from transforms.raw.table import RawTable
from transforms.raw.tags import TAGS
from transforms.raw.text_labels import TEXT_LABELS
from transforms.raw.texts import TEXTS
from transforms.raw.tracks import TRACKS
from transforms.raw.users import USERS

TABLES: dict[str, RawTable] = {
    table.name: table
    for table in (
        USERS,
        TRACKS,
        ARTISTS,
        PLAYS,
        TAGS,
        PLAY_COUNTS,
        FRIENDSHIPS,
        CHART_ENTRIES,
        FEEDBACK,
        HOST_METRICS,
        REQUESTS,
        LOGINS,
        LOG_LINES,
        INCIDENTS,
        AUDIO_MEASUREMENTS,
        AUDIO_ANALYSES,
        AUDIO_LABELS,
        TEXTS,
        TEXT_LABELS,
    )
}

__all__ = ["TABLES", "RawTable"]
