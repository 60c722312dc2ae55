"""Audio features of a track (view ``track_audio``), computed by ``transforms.pure.audio``."""

import polars as pl

from transforms.batch.features.feature_table import FeatureTable


def track_audio(audio_analyses: pl.DataFrame) -> pl.DataFrame:
    """Returns one row for each version of a master, stamped when it was analysed."""
    return audio_analyses.drop("content")


TABLE = FeatureTable("track_audio", source="audio_analyses", compute=track_audio)
