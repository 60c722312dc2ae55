"""Tags that listeners give to tracks."""

from transforms.raw.table import RawTable, Timed, key_column


class TrackTags(Timed):
    """One row per listener, track, tag and moment."""

    user_id = key_column()
    track_id = key_column()
    tag = key_column()


TRACK_TAGS = RawTable(
    "track_tags",
    TrackTags,
    key=("user_id", "track_id", "tag", "event_timestamp"),
    personal=("tag",),
    retention="1825d",
)
