"""Plays of tracks by listeners."""

from feature_repo.windows import EventSource

plays = EventSource(
    "plays",
    columns={
        "user_id": "String",
        "track_id": "String",
        "artist_id": "String",
        "ms_played": "Int64",
        "skipped": "Bool",
        "context": "String",
        "device": "String",
    },
    key=("user_id", "track_id"),
    ranges={"ms_played": (0, 86_400_000)},
)
