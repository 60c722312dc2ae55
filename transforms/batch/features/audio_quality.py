"""Measured audio quality of a master (view ``audio_quality``)."""

import polars as pl

from transforms.batch.features.feature_table import FeatureTable


def audio_quality(audio_measurements: pl.DataFrame) -> pl.DataFrame:
    """Returns one row for each version of a master, stamped when it was measured."""
    return audio_measurements.drop("content", "sample_rate", "channels", "missing_share")


TABLE = FeatureTable("audio_quality", source="audio_measurements", compute=audio_quality)
