"""Technical measurements of masters, computed by ``transforms.pure.audio.quality``."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


class AudioMeasurements(Timed):
    """One row per master and change of the master; ``event_timestamp`` is the time of the measurement.

    ``missing_share`` is the share of the sound that the file's header states and the file lacks; null if it states no
    length.
    """

    track_id = key_column()
    content = dy.String(nullable=True)
    sample_rate = dy.Int64(nullable=True, min=1)
    channels = dy.Int64(nullable=True, min=1)
    missing_share = dy.Float64(nullable=True, min=0, max=1)
    seconds = dy.Float64(nullable=True, min=0)
    loudness = dy.Float64(nullable=True)
    peak = dy.Float64(nullable=True)
    crest = dy.Float64(nullable=True)
    clipped_share = dy.Float64(nullable=True, min=0, max=1)
    silent_share = dy.Float64(nullable=True, min=0, max=1)
    longest_silence = dy.Float64(nullable=True, min=0)
    dc_offset = dy.Float64(nullable=True)
    noise_floor = dy.Float64(nullable=True)
    bandwidth = dy.Float64(nullable=True, min=0, max=1)
    correlation = dy.Float64(nullable=True, min=-1.000001, max=1.000001)
    balance = dy.Float64(nullable=True)


AUDIO_MEASUREMENTS = RawTable("audio_measurements", AudioMeasurements, key=("track_id",), changes_slowly=True)
