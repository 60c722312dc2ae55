"""Identity of a recording and a song across different spellings."""

from feast import Field
from feast.types import Array, Float64, String

from feature_repo.definitions.entities import track
from feature_repo.sources import feature_table

track_identity = feature_table(
    "track_identity",
    entities=[track],
    schema=[
        Field(name="recording_id", dtype=String, description="track_id of the first known track of the same recording"),
        Field(name="song_id", dtype=String, description="likewise of the same song, live, remixed or as it came out"),
        Field(name="score", dtype=Float64, description="how sure that is, 0 to 1; 1 for the first"),
        Field(name="versions", dtype=Array(String), description="live, remix, acoustic …; empty for the usual one"),
    ],
    description="Which recording and song a track is: links plays and charts of different sources",
    columns={"*": ""},
    rows="tracks.title tracks.artist_name tracks.artist_id",  # the id stands for a name that is missing
)
