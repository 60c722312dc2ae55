"""How a track sounds (view ``track_audio``): from a sound to a row, and from rows to the table."""

import math
from typing import Any

import numpy as np
import polars as pl

from transforms.audio.track import FRAMES, TrackAudio

SCALARS = ("level", "crossings", "centroid", "bandwidth", "roll_off", "flatness")
"""Means over the frames that have a column of their own."""


def track_audio(audio_analyses: pl.DataFrame) -> pl.DataFrame:
    """One row per master and per change of it, when it was analysed."""
    return audio_analyses.drop("content")


def described(sound: TrackAudio) -> dict[str, Any]:
    """Features of view ``track_audio`` by name; None for what this sound does not have."""
    beats, key = sound.beats, sound.key
    has_beats = not math.isnan(beats.tempo)
    return {
        "seconds": sound.seconds,
        "tempo": beats.tempo if has_beats else None,
        "tempo_confidence": beats.confidence if has_beats else None,
        "meter": beats.meter if has_beats else None,
        "meter_confidence": beats.meter_confidence if has_beats else None,
        "pulse_clarity": sound.pulse_clarity,
        "onset_rate": sound.onset_rate,
        "key": key.tonic if key else None,
        "mode": key.mode if key else None,
        "key_confidence": key.confidence if key else None,
        "tuning": sound.tuning,
        "dynamic_range": sound.dynamic_range,
        **{name: sound[name] for name in SCALARS},
        "timbre": timbre(sound).tolist(),
        "chroma": _part(sound.mean, "chroma_").tolist(),
        "tonnetz": _part(sound.mean, "tonnetz_").tolist(),
        "beats": beats.times.astype(np.float32).tolist(),
        "downbeats": beats.downbeats.astype(np.float32).tolist(),
    }


def timbre(sound: TrackAudio) -> np.ndarray:
    """(94,) float32: mean and spread of contrast and cepstrum, and the spread of the cepstrum's first two slopes."""
    both = [_part(values, name) for values in (sound.mean, sound.spread) for name in ("contrast_", "mfcc_")]
    slopes = [_part(sound.spread, name) for name in ("delta_", "delta2_")]
    return np.concatenate([*both, *slopes]).astype(np.float32)


def _part(values: np.ndarray, prefix: str) -> np.ndarray:
    return values[[place for place, name in enumerate(FRAMES) if name.startswith(prefix)]]
