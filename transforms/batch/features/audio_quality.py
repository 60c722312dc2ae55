"""How a master sounds to a meter (view ``audio_quality``)."""

import polars as pl


def audio_quality(audio_measurements: pl.DataFrame) -> pl.DataFrame:
    """One row per master and per change of it, when it was measured."""
    return audio_measurements.drop("content", "sample_rate", "channels")
