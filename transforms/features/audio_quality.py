"""How a master sounds to a meter (view ``audio_quality``)."""

import polars as pl

MEASURES = (
    "seconds",
    "loudness",
    "peak",
    "crest",
    "clipped_share",
    "silent_share",
    "longest_silence",
    "dc_offset",
    "noise_floor",
    "bandwidth",
    "correlation",
    "balance",
)


def audio_quality(audio_measurements: pl.DataFrame) -> pl.DataFrame:
    """One row per master and per change of it, when it was measured."""
    return audio_measurements.select("track_id", "event_timestamp", "created_timestamp", *MEASURES)
