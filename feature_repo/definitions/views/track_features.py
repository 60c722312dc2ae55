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

_LOUDNESS = "audio_measurements.loudness"
_MUSIC = ("timbre", "chroma", "centroid", "bandwidth", "roll_off", "crossings")
_VOICE = (
    *("timbre", "chroma", "tonnetz", "crossings", "flatness", "onset_rate", "dynamic_range", "pulse_clarity"),
    *("key_confidence", "tempo_confidence"),
)
_CUES = ("seconds", "tempo", "key", "mode", "meter")


def _analyses(*names: str) -> str:
    """Returns the loudness, without which nothing is told, and some columns of the analyses."""
    return " ".join([_LOUDNESS, *(f"audio_analyses.{name}" for name in dict.fromkeys(names))])


_COLUMNS = {
    "tempo": _analyses("seconds", "tempo"),
    "tempo_confidence": _analyses("seconds", "tempo", "tempo_confidence"),
    "key": _analyses("seconds", "key"),
    "mode": _analyses("seconds", "key", "mode"),
    **dict.fromkeys(("key_confidence", "mode_confidence"), _analyses("seconds", "key", "key_confidence")),
    "time_signature": _analyses("seconds", "meter"),
    "time_signature_confidence": _analyses("seconds", "meter", "meter_confidence"),
    "loudness*": _LOUDNESS,
    "duration_ms": "audio_analyses.seconds",
    "duration_ms_confidence": "",
    "liveness": _analyses(*_VOICE),
    **dict.fromkeys(("speechiness_confidence", "liveness_confidence"), _analyses("seconds", *_MUSIC, *_VOICE)),
    "*": _analyses(*_CUES, *_MUSIC, *_VOICE),
}
"""Feature → the raw columns that it is made of, as ``transforms.pure.audio.vocabulary`` takes them."""

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
    columns=_COLUMNS,
    rows="audio_analyses.content audio_measurements.content",
)
