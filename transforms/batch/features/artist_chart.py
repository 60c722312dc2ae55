"""An artist's titles on the weekly charts (view ``artist_chart``)."""

import polars as pl

from transforms.batch.features.feature_table import FeatureTable
from transforms.raw.table import MICROSECONDS_UTC

KINDS = {"hot100": ("singles", "best_single"), "b200": ("albums", "best_album")}
"""Chart → names of the columns for the number of titles and for the best place."""


def artist_chart(entries: pl.DataFrame) -> pl.DataFrame:
    """Computes one row for each artist and chart at which a feature changes, stamped the midnight after the chart date.

    Args:
        entries: the raw table ``chart_entries``.
    """
    named = entries.drop_nulls("artist_id")
    after = (pl.col("event_timestamp") + pl.duration(days=1)).cast(MICROSECONDS_UTC)
    pieces = []
    for chart, (count, best) in KINDS.items():
        weeks = named.filter(pl.col("chart") == chart).group_by("artist_id", "event_timestamp")
        charted = weeks.agg(
            pl.len().cast(pl.Int64).alias(count), pl.col("rank").min().alias(best), pl.col("created_timestamp").max()
        )
        dates = (
            named.filter(pl.col("chart") == chart).group_by("event_timestamp").agg(pl.col("created_timestamp").max())
        )
        dates = dates.sort("event_timestamp").with_columns(next=pl.col("event_timestamp").shift(-1))
        # the first chart without any title of the artist gives a row with zeros
        following = dates.select(pl.col("event_timestamp").alias("next"), next_created="created_timestamp")
        dropped_off = (
            charted.join(dates.select("event_timestamp", "next"), on="event_timestamp")
            .join(following, on="next")
            .join(charted.select("artist_id", next="event_timestamp"), on=["artist_id", "next"], how="anti")
            .select(
                "artist_id",
                event_timestamp="next",
                created_timestamp="next_created",
                **{count: pl.lit(0, pl.Int64), best: pl.lit(0, pl.Int64)},
            )
        )
        pieces.append(pl.concat([charted, dropped_off], how="diagonal"))
    first = named.group_by("artist_id", "track_id").agg(pl.col("event_timestamp", "created_timestamp").min())
    pieces.append(first.select("artist_id", "event_timestamp", "created_timestamp", new_titles=pl.lit(1, pl.Int64)))
    columns = [name for pair in KINDS.values() for name in pair]
    rows = (
        pl.concat(pieces, how="diagonal")
        .group_by("artist_id", "event_timestamp")
        .agg(
            pl.col("created_timestamp").max(),
            *(pl.col(name).drop_nulls().first() for name in columns),
            pl.col("new_titles").sum(),
        )
        .sort("artist_id", "event_timestamp")
        .with_columns(pl.col(columns).forward_fill().over("artist_id").fill_null(0))
        .with_columns(titles=pl.col("new_titles").cum_sum().over("artist_id"))
    )
    return rows.select(
        "artist_id",
        event_timestamp=after,
        created_timestamp=pl.max_horizontal("created_timestamp", after),
        **{name: pl.col(name) for name in (*columns, "titles")},
    )


TABLE = FeatureTable("artist_chart", source="chart_entries", compute=artist_chart)
