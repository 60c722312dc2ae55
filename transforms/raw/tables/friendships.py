"""Friendships between listeners."""

from transforms.raw.table import RawTable, Timed, key_column


class Friendships(Timed):
    """One row per directed pair of listeners and moment of observation."""

    user_id = key_column()
    friend_id = key_column()


FRIENDSHIPS = RawTable(
    "friendships",
    Friendships,
    key=("user_id", "friend_id", "event_timestamp"),
    join_keys={"friend_id": "user_id"},
    retention="1825d",
)
