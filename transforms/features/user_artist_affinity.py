"""What one listener makes of one artist (view ``user_artist_affinity``)."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from transforms.features.windows import accumulate, daily, skip_rates, trailing_sums

KEYS = ["user_id", "artist_id"]


def user_artist_affinity(plays: pl.DataFrame, midnights: Sequence[date]) -> pl.DataFrame:
    """Rows of the view at ``midnights``, from the plays of the 29 days before the first of them on."""
    tiles = daily(plays, KEYS)
    changes = trailing_sums(tiles, KEYS, ["plays", "skips"])
    return accumulate([changes], tiles, KEYS, midnights).with_columns(skip_rates())
