"""What is usual for an endpoint at this hour of the week (view ``endpoint_baseline``)."""

import polars as pl

from transforms.batch.features.hour_of_week import HOUR, hour_of_week

METRICS = ("requests", "latency", "error_rate")
MINUTES = 60


def endpoint_baseline(requests: pl.DataFrame) -> pl.DataFrame:
    """One row per endpoint and hour for which something is known; ``requests`` are by the minute."""
    hour = pl.col("event_timestamp").dt.timestamp("us") // HOUR * HOUR
    hourly = requests.group_by("endpoint", hour=hour).agg(
        pl.col("created_timestamp").max(),
        requests=pl.len() / MINUTES,
        latency=pl.col("latency_us").mean(),
        error_rate=(pl.col("status") >= 500).mean(),
    )
    return hour_of_week(hourly, "endpoint", METRICS)
