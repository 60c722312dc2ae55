"""Who played what, when, and whether they stayed."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column

MS_A_DAY = 86_400_000


class Plays(Timed):
    """One row per play; ``event_timestamp`` is its start. The artist travels with the event, so that a play counts
    for its artist whatever becomes of the catalogue.
    """

    user_id = key_column()
    track_id = key_column()
    artist_id = dy.String(nullable=True)
    ms_played = dy.Int64(nullable=True, min=0, max=MS_A_DAY)
    skipped = dy.Bool(nullable=True)
    context = dy.String(nullable=True)
    device = dy.String(nullable=True)


PLAYS = RawTable("plays", Plays, key=("user_id", "track_id", "event_timestamp"))
