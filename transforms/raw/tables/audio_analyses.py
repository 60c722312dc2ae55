"""Musical descriptions of masters, computed by ``transforms.pure.audio.track``."""

import dataframely as dy

from transforms.raw.table import RawTable, Timed, key_column


def _numbers() -> dy.List:
    return dy.List(dy.Float32(nullable=True), nullable=True)


class AudioAnalyses(Timed):
    """One row per master and change of the master; ``event_timestamp`` is the time of the analysis."""

    track_id = key_column()
    content = dy.String(nullable=True)
    seconds = dy.Float64(nullable=True, min=0)
    tempo = dy.Float64(nullable=True, min=0)
    tempo_confidence = dy.Float64(nullable=True, min=0, max=1)
    meter = dy.Int64(nullable=True, min=0)
    meter_confidence = dy.Float64(nullable=True, min=0, max=1)
    pulse_clarity = dy.Float64(nullable=True, min=0, max=1)
    onset_rate = dy.Float64(nullable=True, min=0)
    key = dy.String(nullable=True)
    mode = dy.String(nullable=True)
    key_confidence = dy.Float64(nullable=True, min=0, max=1)
    tuning = dy.Float64(nullable=True, min=-0.5, max=0.5)
    dynamic_range = dy.Float64(nullable=True, min=0)
    level = dy.Float64(nullable=True, min=0)
    crossings = dy.Float64(nullable=True, min=0, max=1)
    centroid = dy.Float64(nullable=True, min=0)
    bandwidth = dy.Float64(nullable=True, min=0)
    roll_off = dy.Float64(nullable=True, min=0)
    flatness = dy.Float64(nullable=True, min=0)
    timbre = _numbers()
    chroma = _numbers()
    tonnetz = _numbers()
    tonal_balance = _numbers()
    beats = _numbers()
    downbeats = _numbers()


AUDIO_ANALYSES = RawTable("audio_analyses", AudioAnalyses, key=("track_id",), changes_slowly=True)
