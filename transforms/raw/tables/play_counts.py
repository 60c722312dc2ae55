"""Play counts from a foreign source, known only as totals at a moment."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class PlayCounts(Timed):
    """One row per listener, artist and moment of the count."""

    user_id = key_column()
    artist_id = key_column()
    plays = dy.Int64(nullable=False, min=0)


PLAY_COUNTS = RawTable(
    "play_counts",
    PlayCounts,
    key=("user_id", "artist_id", "event_timestamp"),
    retention="1825d",
)
