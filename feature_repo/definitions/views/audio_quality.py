"""Measured audio quality of a master recording."""

from feast import Field
from feast.types import Float64

from feature_repo.definitions.entities import track
from feature_repo.sources import feature_table

MEASURES = {
    "seconds": "length",
    "loudness": "integrated loudness, LUFS (EBU R128)",
    "peak": "largest sample, dB full scale",
    "crest": "peak over mean power, dB",
    "clipped_share": "share of samples in runs at full scale",
    "silent_share": "share of 50 ms frames below -60 dB",
    "longest_silence": "seconds",
    "dc_offset": "mean sample, share of full scale",
    "noise_floor": "power of the quietest twentieth of frames that are not digital silence, dB",
    "bandwidth": "share of the spectrum, from 0 Hz on, above which less than a millionth of the power lies",
    "correlation": "of left and right; 1 for mono",
    "balance": "power of the left over the right channel, dB",
}

audio_quality = feature_table(
    "audio_quality",
    entities=[track],
    schema=[Field(name=name, dtype=Float64, description=about) for name, about in MEASURES.items()],
    description="Loudness, clipping, silence, offset, noise, bandwidth and stereo of one master",
    columns={"*": "audio_measurements.{feature}"},
)
