"""Audio features of a track (view ``track_audio``), computed by ``transforms.pure.audio``."""

import polars as pl


def track_audio(audio_analyses: pl.DataFrame) -> pl.DataFrame:
    """Returns one row for each version of a master, stamped when it was analysed."""
    return audio_analyses.drop("content")
