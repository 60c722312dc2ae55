"""Plays of tracks by listeners, with the time listened."""

import dataframely as dy

from feature_repo.definitions.events.plays import plays
from transforms.raw.table import RawTable, Reconciliation, Timed, key_column

_SHORTEST, _LONGEST = plays.ranges["ms_played"]


class Plays(Timed):
    """One row per play; ``event_timestamp`` is its start.

    The artist is part of the event, so that a play counts for its artist even if the catalogue changes. The last three
    columns say which play it is where several services report it: the recording by its spelling, the form of the
    export, and the seconds that its times are cut to (null: a second or finer).
    """

    user_id = key_column()
    track_id = key_column()
    artist_id = dy.String(nullable=True)
    ms_played = dy.Int64(nullable=True, min=_SHORTEST, max=_LONGEST)
    skipped = dy.Bool(nullable=True)
    context = dy.String(nullable=True)
    device = dy.String(nullable=True)
    recording = dy.String(nullable=True)
    reported_by = dy.String(nullable=True)
    precision_s = dy.Int64(nullable=True, min=1)


PLAYS = RawTable(
    "plays",
    Plays,
    key=("user_id", "track_id", "event_timestamp"),
    reconciliation=Reconciliation(("user_id", "recording"), "reported_by", "precision_s", "ms_played"),
    personal=("context", "device"),
    retention="1825d",
)
