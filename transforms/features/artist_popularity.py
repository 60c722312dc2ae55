"""How many listen to an artist, and whether they stay (view ``artist_popularity``)."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from transforms.features.popularity import popularity


def artist_popularity(plays: pl.DataFrame, midnights: Sequence[date]) -> pl.DataFrame:
    """Rows of the view at ``midnights``, from the plays of the 29 days before the first of them on."""
    return popularity(plays, ["artist_id"], midnights)
