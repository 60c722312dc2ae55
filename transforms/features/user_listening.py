"""How much and how widely a listener listens (view ``user_listening``)."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from transforms.features.windows import accumulate, daily, skip_rates, trailing_distinct, trailing_sums

KEYS = ["user_id"]


def user_listening(plays: pl.DataFrame, midnights: Sequence[date]) -> pl.DataFrame:
    """Rows of the view at ``midnights``, from the plays of the 29 days before the first of them on."""
    tiles = daily(plays, KEYS)
    changes = [
        trailing_sums(tiles, KEYS, ["plays", "skips", "listening_ms"]),
        trailing_distinct(plays, KEYS, of="track_id", name="distinct_tracks"),
        trailing_distinct(plays, KEYS, of="artist_id", name="distinct_artists"),
    ]
    return accumulate(changes, tiles, KEYS, midnights).with_columns(skip_rates())
