"""The vocabulary of Spotify's ``audio-features`` (view ``track_features``), by ``transforms.pure.audio.vocabulary``."""

import hashlib

import polars as pl

from feature_repo.code_text import code_of
from transforms.batch.features.feature_table import FeatureTable
from transforms.pure.audio.vocabulary.track_features import COUNTS, NAMES
from transforms.pure.audio.vocabulary.track_features import track_features as of_features
from transforms.pure.audio.vocabulary.weights import WEIGHTS

_VOCABULARY = "transforms.pure.audio.vocabulary"
_COLUMNS = {
    f"{name}{suffix}": pl.Int64 if name in COUNTS and not suffix else pl.Float64
    for suffix in ("", "_confidence")
    for name in NAMES
}
_TIMES = ("event_timestamp", "created_timestamp")


def track_features(audio_analyses: pl.DataFrame, audio_measurements: pl.DataFrame) -> pl.DataFrame:
    """Returns one row for each version of a master, stamped when it was analysed.

    The loudness is that of the measurement of the same content; a row is known once both are.
    """
    newest = audio_measurements.sort(_TIMES).unique(["track_id", "content"], keep="last", maintain_order=True)
    loudness = newest.select("track_id", "content", "loudness", measured="created_timestamp")
    rows = audio_analyses.join(loudness, on=["track_id", "content"], how="left", maintain_order="left")
    values = [of_features(row, row["loudness"]).as_columns() for row in rows.iter_rows(named=True)]
    known = pl.max_horizontal("created_timestamp", "measured").alias("created_timestamp")
    return pl.concat(
        [rows.select("track_id", "event_timestamp", known), pl.DataFrame(values, schema=_COLUMNS)], how="horizontal"
    )


def _digest() -> str:
    """Digest of the weights, and of the code that takes them."""
    code = code_of(of_features, _VOCABULARY).encode()
    return hashlib.sha256(code + WEIGHTS.read_bytes()).hexdigest()


TABLE = FeatureTable(
    "track_features",
    source="audio_analyses",
    compute=track_features,
    also=("audio_measurements",),
    settings=_digest(),
)
