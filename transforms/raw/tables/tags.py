"""Tags that listeners give to artists."""

from transforms.raw.table import RawTable, Timed, key_column


class Tags(Timed):
    """One row per listener, artist, tag and day."""

    user_id = key_column()
    artist_id = key_column()
    tag = key_column()


TAGS = RawTable(
    "tags",
    Tags,
    key=("user_id", "artist_id", "tag", "event_timestamp"),
    personal=("tag",),
    retention="1825d",
)
