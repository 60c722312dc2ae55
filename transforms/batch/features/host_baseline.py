"""Baseline of a host's metrics at an hour of the week (view ``host_baseline``)."""

import polars as pl

from transforms.batch.features.feature_table import FeatureTable
from transforms.batch.features.hour_of_week import HOUR, hour_of_week

METRICS = {
    "cpu": "cpu_permille",
    "memory": "memory_permille",
    "network_in": "network_in",
    "network_out": "network_out",
    "disk_io": "disk_io",
    "connections": "connections",
}
"""Metric → column of the raw table."""


def host_baseline(host_metrics: pl.DataFrame) -> pl.DataFrame:
    """Computes one row for each host and hour that has a baseline."""
    hour = pl.col("event_timestamp").dt.timestamp("us") // HOUR * HOUR
    hourly = host_metrics.group_by("host_id", hour=hour).agg(
        pl.col("created_timestamp").max(), *(pl.col(column).mean().alias(name) for name, column in METRICS.items())
    )
    return hour_of_week(hourly, "host_id", list(METRICS))


TABLE = FeatureTable("host_baseline", source="host_metrics", compute=host_baseline)
