"""Who follows whom."""

from transforms.raw.table import RawTable, Timed, key_column


class Friendships(Timed):
    """One row per directed pair and moment at which it was seen."""

    user_id = key_column()
    friend_id = key_column()


FRIENDSHIPS = RawTable("friendships", Friendships, key=("user_id", "friend_id", "event_timestamp"))
