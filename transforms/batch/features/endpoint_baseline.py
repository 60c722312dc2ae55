"""Baseline of an endpoint's metrics at an hour of the week (view ``endpoint_baseline``)."""

import polars as pl

from transforms.batch.features.feature_table import FeatureTable
from transforms.batch.features.hour_of_week import HOUR, hour_of_week

METRICS = ("requests", "latency", "error_rate")
MINUTES = 60


def endpoint_baseline(requests: pl.DataFrame) -> pl.DataFrame:
    """Computes one row for each endpoint and hour that has a baseline; the metric ``requests`` is per minute."""
    hour = pl.col("event_timestamp").dt.timestamp("us") // HOUR * HOUR
    hourly = requests.group_by("endpoint", hour=hour).agg(
        pl.col("created_timestamp").max(),
        requests=pl.len() / MINUTES,
        latency=pl.col("latency_us").mean(),
        error_rate=(pl.col("status") >= 500).mean(),
    )
    return hour_of_week(hourly, "endpoint", METRICS)


TABLE = FeatureTable("endpoint_baseline", source="requests", compute=endpoint_baseline)
