"""Predicts whether a play will be broken off, from what is known when it begins."""

from datetime import timedelta

import polars as pl

from feature_repo.home import Home
from training.models.behavior.profile import PROFILE
from training.models.tabular import TabularModel
from transforms.raw.read import plays


def rows(home: Home) -> pl.DataFrame:
    """Return every play with known artist and known outcome, its device and context, and the label."""
    return (
        plays(home)
        .filter(pl.col("skipped").is_not_null() & pl.col("artist_id").is_not_null())
        .select(
            "user_id",
            "track_id",
            "artist_id",
            "event_timestamp",
            "device",
            "context",
            label=pl.col("skipped").cast(pl.Int8),
        )
        .collect()
    )


MODEL = TabularModel(
    name="skip_model",
    family="behavior",
    about="Whether a play is broken off, asked when it begins.",
    services=("skip_v1",),
    raw=("plays",),
    rows=rows,
    kind="binary",
    cluster="user_id",
    horizon=timedelta(hours=1),
    segments=("device", "context"),
    movable=("request_context", "user_session", "user_listening", "user_history", "user_artist_affinity"),
    bounds=PROFILE,
)
