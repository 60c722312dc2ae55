"""Plays, distinct listeners and share skipped of whatever the keys name; shared by the popularity views."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from transforms.features.windows import accumulate, daily, skip_rates, trailing_distinct, trailing_sums


def popularity(plays: pl.DataFrame, keys: Sequence[str], midnights: Sequence[date]) -> pl.DataFrame:
    """One row per key and wanted midnight at which a window changed."""
    tiles = daily(plays, keys)
    changes = [
        trailing_sums(tiles, keys, ["plays", "skips"]),
        trailing_distinct(plays, keys, of="user_id", name="listeners"),
    ]
    return accumulate(changes, tiles, keys, midnights).with_columns(skip_rates())
