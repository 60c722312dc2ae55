"""The features of view ``track_audio`` of a sound, and the input vector of audio models."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from transforms.pure.audio.chroma import CLASSES
from transforms.pure.audio.key import MODES
from transforms.pure.audio.spectrum import tonal_balance
from transforms.pure.audio.track import FRAMES, TrackAudio

SCALARS = ("level", "crossings", "centroid", "bandwidth", "roll_off", "flatness")
"""Frame features whose mean is a feature of its own."""
NUMBERS = (
    "tempo",
    "tempo_confidence",
    "meter_confidence",
    "pulse_clarity",
    "onset_rate",
    "key_confidence",
    "dynamic_range",
    *SCALARS,
)
LOGARITHMS = frozenset({"tempo", "onset_rate", "level", "crossings", "centroid", "bandwidth", "roll_off", "flatness"})
LISTS = {"timbre": 94, "chroma": 12, "tonnetz": 6}
LAYOUT = 1
"""Version of ``vector``; a model that was trained with another version is not used."""
EATEN = (*NUMBERS, "key", "mode", *LISTS)
"""Names of the features that ``vector`` uses."""
WIDTH = len(NUMBERS) + 1 + sum(LISTS.values())


def described(sound: TrackAudio) -> dict[str, Any]:
    """The features of a sound by name; None for those that it does not have."""
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
        "tonal_balance": tonal_balance(sound.spectrum).tolist(),
        "beats": beats.times.astype(np.float32).tolist(),
        "downbeats": beats.downbeats.astype(np.float32).tolist(),
    }


def timbre(sound: TrackAudio) -> np.ndarray:
    """(94,) float32: mean and spread of contrast and cepstrum, and the spread of the cepstrum's deltas."""
    statistics = [_part(values, name) for values in (sound.mean, sound.spread) for name in ("contrast_", "mfcc_")]
    slopes = [_part(sound.spread, name) for name in ("delta_", "delta2_")]
    return np.concatenate([*statistics, *slopes]).astype(np.float32)


def vector(features: Mapping[str, Any]) -> np.ndarray:
    """(``WIDTH``,) float32 input vector from the features ``EATEN``; NaN for missing features.

    Features with a unit are logarithms. Pitch classes begin at the tonic, so that the vector is independent of the key.
    """
    numbers = [_number(features[name], logarithm=name in LOGARITHMS) for name in NUMBERS]
    mode = features["mode"]
    numbers.append(math.nan if mode is None else float(mode == MODES[0]))
    shift = CLASSES.index(features["key"]) if features["key"] else 0
    parts = [np.array(numbers, np.float32)]
    for name, width in LISTS.items():
        feature = features[name]
        values = np.full(width, np.nan, np.float32) if feature is None else np.asarray(feature, np.float32)
        parts.append(np.roll(values, -shift) if name == "chroma" else values)
    return np.concatenate(parts)


def _number(value: float | None, *, logarithm: bool) -> float:
    if value is None or math.isnan(value):
        return math.nan
    return math.log(max(value, 1e-6)) if logarithm else float(value)


def _part(values: np.ndarray, prefix: str) -> np.ndarray:
    return values[[column for column, name in enumerate(FRAMES) if name.startswith(prefix)]]
