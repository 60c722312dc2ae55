"""Audio features of a track."""

from feast import Field
from feast.types import Array, Float32, Float64, Int64, String

from feature_repo.definitions.entities import track
from feature_repo.sources import feature_table

NUMBERS = {
    "seconds": "length",
    "tempo": "beats a minute",
    "tempo_confidence": "0 to 1, how much louder than by chance it is at beats",
    "meter_confidence": "0 to 1, how much its downbeats stand out",
    "pulse_clarity": "0 to 1, how regularly it beats: the largest autocorrelation of its onsets",
    "onset_rate": "onsets a second",
    "key_confidence": "0 to 1, by how much the key fits better than the next",
    "tuning": "semitones above A = 440 Hz",
    "dynamic_range": "decibels between the 10th and 95th percentile of levels",
    "level": "root mean square, share of full scale",
    "crossings": "share of samples that change their sign",
    "centroid": "of the spectrum, Hz",
    "bandwidth": "of the spectrum around its centroid, Hz",
    "roll_off": "below which 85 % of the magnitude lies, Hz",
    "flatness": "geometric over arithmetic mean of the power; 1 is white noise",
}
LISTS = {
    "timbre": "mean and spread of spectral contrast (7) and of mel cepstrum (20), spread of its slopes (20, 20)",
    "chroma": "mean energy of the pitch classes from C on",
    "tonnetz": "mean place on the circles of fifths, minor and major thirds",
    "tonal_balance": "power of the octaves around 31.5, 63, … 8,000 Hz, decibels of all of it",
    "beats": "seconds",
    "downbeats": "seconds",
}

track_audio = feature_table(
    "track_audio",
    entities=[track],
    schema=[
        *(Field(name=name, dtype=Float64, description=about) for name, about in NUMBERS.items()),
        Field(name="meter", dtype=Int64, description="beats of a bar"),
        Field(name="key", dtype=String, description="tonic, such as F#"),
        Field(name="mode", dtype=String, description="major or minor"),
        *(Field(name=name, dtype=Array(Float32), description=about) for name, about in LISTS.items()),
    ],
    description="Rhythm, harmony, dynamics and timbre of one master",
    columns={"*": "audio_analyses.{feature}"},
)
