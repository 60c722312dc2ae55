"""Measured audio quality of a master (view ``audio_quality``)."""

import polars as pl


def audio_quality(audio_measurements: pl.DataFrame) -> pl.DataFrame:
    """Returns one row for each version of a master, stamped when it was measured."""
    return audio_measurements.drop("content", "sample_rate", "channels")
