"""Who and what features are about."""

from feast import Entity, ValueType

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING, description="A listener")
track = Entity(name="track", join_keys=["track_id"], value_type=ValueType.STRING, description="A recording")
artist = Entity(name="artist", join_keys=["artist_id"], value_type=ValueType.STRING, description="A performer")
genre = Entity(name="genre", join_keys=["genre"], value_type=ValueType.STRING, description="A genre of the catalogue")
platform = Entity(
    name="platform",
    join_keys=["platform_id"],
    value_type=ValueType.STRING,
    description="The whole service of one tenant; the key is the tenant's name",
)
