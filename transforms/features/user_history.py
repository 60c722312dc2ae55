"""What a listener has heard (view ``user_history``)."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from transforms.raw.table import MICROSECONDS_UTC

LONGEST_LIST = 1_000


def user_history(plays: pl.DataFrame, midnights: Sequence[date]) -> pl.DataFrame:
    """Rows of the view at ``midnights``, from all plays since the beginning.

    A listener has a row at T if they played something on the day before T: their distinct tracks before T, most
    recently played first (ties by track), ``LONGEST_LIST`` at most, and the number of all of them.
    """
    rows = [_at(plays, midnight) for midnight in midnights]
    return pl.concat(rows) if rows else _at(plays.clear(), date(1970, 1, 2))


def _at(plays: pl.DataFrame, midnight: date) -> pl.DataFrame:
    moment = pl.lit(midnight).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    before = plays.filter(pl.col("event_timestamp") < moment)
    active = before.filter(pl.col("event_timestamp") >= moment - pl.duration(days=1)).select("user_id").unique()
    return (
        before.join(active, on="user_id", how="semi")
        .group_by("user_id", "track_id")
        .agg(_last=pl.col("event_timestamp").max(), _created=pl.col("created_timestamp").max())
        .sort("user_id", pl.col("_last"), "track_id", descending=[False, True, False])
        .group_by("user_id", maintain_order=True)
        .agg(
            track_ids=pl.col("track_id").head(LONGEST_LIST),
            distinct_tracks=pl.len().cast(pl.Int64),
            _created=pl.col("_created").max(),
        )
        .with_columns(event_timestamp=moment)
        .with_columns(created_timestamp=pl.max_horizontal("event_timestamp", "_created").cast(MICROSECONDS_UTC))
        .drop("_created")
    )
