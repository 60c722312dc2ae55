"""How much is played in all (view ``platform_activity``)."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from transforms.features.popularity import popularity


def platform_activity(plays: pl.DataFrame, midnights: Sequence[date], tenant: str) -> pl.DataFrame:
    """Rows of the view at ``midnights``; its one key is the tenant's name."""
    return popularity(plays.with_columns(platform_id=pl.lit(tenant)), ["platform_id"], midnights)
