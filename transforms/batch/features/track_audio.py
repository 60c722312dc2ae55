"""How a track sounds (view ``track_audio``); ``transforms.pure.audio`` tells it."""

import polars as pl


def track_audio(audio_analyses: pl.DataFrame) -> pl.DataFrame:
    """One row per master and per change of it, when it was analysed."""
    return audio_analyses.drop("content")
