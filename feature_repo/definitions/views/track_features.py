"""The vocabulary of Spotify's ``audio-features``, computed from the sound of a track."""

from feast import Field
from feast.types import Float64, Int64

from feature_repo.definitions.entities import track
from feature_repo.sources import feature_table

NUMBERS = {
    "tempo": "beats a minute; measured",
    "loudness": "integrated loudness, LUFS; measured",
    "energy": "0 to 1: how loud, dense and fast; learned",
    "danceability": "0 to 1; learned",
    "valence": "0 (sad) to 1 (happy); learned",
    "acousticness": "0 to 1: how likely instruments are acoustic; learned",
    "speechiness": "0 to 1: above .66 speech, below .33 music; learned",
    "instrumentalness": "0 to 1: how likely there is no voice; a proxy",
    "liveness": "0 to 1: how likely an audience is heard; a proxy",
}
COUNTS = {
    "key": "0 for C to 11 for B, -1 for none; measured",
    "mode": "1 for major, 0 for minor; measured",
    "time_signature": "beats of a bar, 3 to 7; measured",
    "duration_ms": "length; measured",
}

track_features = feature_table(
    "track_features",
    entities=[track],
    schema=[
        *(Field(name=name, dtype=Float64, description=about) for name, about in NUMBERS.items()),
        *(Field(name=name, dtype=Int64, description=about) for name, about in COUNTS.items()),
        *(
            Field(name=f"{name}_confidence", dtype=Float64, description=f"0 to 1, of {name}")
            for name in (*NUMBERS, *COUNTS)
        ),
    ],
    description="What Spotify's audio-features said of a track, from its sound, each with a confidence",
)
