"""Feast entities that features describe."""

from feast import Entity, ValueType

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING, description="A listener")
host = Entity(name="host", join_keys=["host_id"], value_type=ValueType.STRING, description="A machine")
endpoint = Entity(name="endpoint", join_keys=["endpoint"], value_type=ValueType.STRING, description="What is asked for")
client = Entity(name="client", join_keys=["client_ip"], value_type=ValueType.STRING, description="An address that asks")
track = Entity(name="track", join_keys=["track_id"], value_type=ValueType.STRING, description="A recording")
artist = Entity(name="artist", join_keys=["artist_id"], value_type=ValueType.STRING, description="A performer")
genre = Entity(name="genre", join_keys=["genre"], value_type=ValueType.STRING, description="A genre of the catalogue")
platform = Entity(
    name="platform",
    join_keys=["platform_id"],
    value_type=ValueType.STRING,
    description="The whole service of one tenant; the key is the tenant's name",
)
