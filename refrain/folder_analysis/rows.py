"""The row of one sound file: who it is, what was heard, or why nothing was."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import polars as pl

from inference.audio.analyzer import AudioAnalysis
from transforms.pure.audio.loudness.meter import Loudness
from transforms.pure.audio.loudness.target import verdict
from transforms.pure.audio.vocabulary.track_features import COUNTS, NAMES, TrackFeatures

_FILE = {"path": pl.String, "size": pl.Int64, "modified_ns": pl.Int64, "error": pl.String}
_LOUDNESS = tuple(field.name for field in fields(Loudness))
_MEASURES = (
    *("peak", "crest", "clipped_share", "silent_share", "longest_silence", "dc_offset", "noise_floor", "bandwidth"),
    *("correlation", "balance"),
)
_NUMBERS = (
    *("tempo", "tempo_confidence", "meter_confidence", "pulse_clarity", "onset_rate", "key_confidence", "tuning"),
    *("dynamic_range", "level", "crossings", "centroid", "roll_off", "flatness"),
)
_LISTS = ("beats", "downbeats", "chroma", "tonnetz", "timbre", "tonal_balance")
_TRACK_FEATURES = {
    f"track_features__{name}{suffix}": pl.Int64 if name in COUNTS and not suffix else pl.Float64
    for suffix in ("", "_confidence")
    for name in NAMES
}
SCHEMA: dict[str, Any] = {
    **_FILE,
    "seconds": pl.Float64,
    "rate": pl.Int64,
    "channels": pl.Int64,
    "marks": pl.String,
    "fingerprint": pl.String,
    "key": pl.String,
    "mode": pl.String,
    "meter": pl.Int64,
    "beat_count": pl.Int64,
    **dict.fromkeys((*_NUMBERS, *_LOUDNESS, "streaming_gain_db", "streaming_limit_db", *_MEASURES), pl.Float64),
    "spectral_bandwidth": pl.Float64,
    **_TRACK_FEATURES,
    **dict.fromkeys(("genre", "mood", "model"), pl.String),
    **dict.fromkeys(("genre_probability", "valence", "arousal"), pl.Float64),
    "is_unknown": pl.Boolean,
    **dict.fromkeys(_LISTS, pl.List(pl.Float32)),
}
"""Column → type of the table; lists are left out of CSV."""


def row(analysis: AudioAnalysis) -> dict[str, Any]:
    """Return the columns of an analysis; None for what the sound does not have.

    Args:
        analysis: an analysis of ``AudioAnalysisModel``.
    """
    features, classes, streaming = analysis.features, analysis.classes, verdict(analysis.loudness)
    genre, mood = (classes.genre, classes.mood) if classes else (None, None)
    values = {
        "seconds": analysis.seconds,
        "rate": analysis.rate,
        "channels": analysis.channels,
        "marks": "; ".join(analysis.marks) or None,
        "fingerprint": analysis.fingerprint or None,
        "beat_count": len(analysis.beats.times),
        **{name: features[name] for name in (*_NUMBERS, *_LISTS, "key", "mode", "meter")},
        **{name: getattr(analysis.loudness, name) for name in _LOUDNESS},
        "streaming_gain_db": streaming.gain_db if streaming else None,
        "streaming_limit_db": streaming.limit_db if streaming else None,
        **{name: analysis.measures[name] for name in _MEASURES},
        "spectral_bandwidth": features["bandwidth"],
        **_track_features(analysis.track_features),
        "genre": genre.label if genre else None,
        "genre_probability": genre.probabilities[genre.label] if genre and genre.label in genre.probabilities else None,
        "mood": mood.label if mood else None,
        "valence": classes.valence if classes else None,
        "arousal": classes.arousal if classes else None,
        "is_unknown": classes.unknown if classes else None,
        "model": analysis.model,
    }
    return without_nan(values)


def _track_features(track: TrackFeatures) -> dict[str, Any]:
    """The values and their confidences, named as features of the view ``track_features``."""
    return {f"track_features__{name}": value for name, value in track.as_columns().items()}


def without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with None instead of NaN."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a table with all columns of ``SCHEMA``, in the order of paths."""
    return pl.DataFrame(rows, schema=SCHEMA, infer_schema_length=None).sort("path")
