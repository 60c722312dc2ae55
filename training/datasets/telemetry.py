"""Telemetry as reported: points for the streaming detectors, and labelled incidents."""

from collections.abc import Sequence

import polars as pl

from feature_repo.home import Home
from transforms.raw.read import scan
from transforms.raw.table import MICROSECONDS_UTC

MINUTE = 60_000_000
HOST_METRICS = (
    "cpu_permille",
    "memory_permille",
    "disk_permille",
    "network_in",
    "network_out",
    "disk_io",
    "connections",
)
ENDPOINT_METRICS = ("requests", "latency_ms", "error_rate")


def host_points(home: Home) -> pl.DataFrame:
    """Reads ``host_id``, ``event_timestamp`` and ``HOST_METRICS``, in order of time."""
    rows = scan(home, "host_metrics").select("host_id", "event_timestamp", *HOST_METRICS).collect()
    return rows.sort("event_timestamp", "host_id")


def endpoint_points(home: Home) -> pl.DataFrame:
    """Computes ``endpoint``, ``event_timestamp`` (the end of a minute) and ``ENDPOINT_METRICS`` of that minute.

    A minute without requests has 0 of them, and neither latency nor errors.
    """
    minute = (pl.col("event_timestamp").dt.timestamp("us") // MINUTE + 1) * MINUTE
    rows = (
        scan(home, "requests")
        .group_by("endpoint", minute=minute)
        .agg(
            requests=pl.len().cast(pl.Float64),
            latency_ms=pl.col("latency_us").mean() / 1_000,
            error_rate=(pl.col("status") >= 500).mean(),
        )
        .collect()
    )
    if rows.is_empty():
        return rows.select(
            "endpoint", pl.col("minute").cast(MICROSECONDS_UTC).alias("event_timestamp"), *ENDPOINT_METRICS
        )
    span = rows.select(low=pl.col("minute").min(), high=pl.col("minute").max()).row(0)
    minutes = pl.DataFrame({"minute": pl.int_range(span[0], span[1] + 1, MINUTE, eager=True)})
    all_minutes = rows.select("endpoint").unique().join(minutes, how="cross")
    dense = all_minutes.join(rows, on=["endpoint", "minute"], how="left").with_columns(pl.col("requests").fill_null(0))
    return dense.select(
        "endpoint", pl.col("minute").cast(MICROSECONDS_UTC).alias("event_timestamp"), *ENDPOINT_METRICS
    ).sort("event_timestamp", "endpoint")


def moments(home: Home, tables: Sequence[str], key: str, every: int = MINUTE) -> pl.DataFrame:
    """Makes a spine: each entity just after the last event of each minute in which it has any.

    Args:
        home: the data folder.
        tables: raw tables with the key.
        key: join key.
        every: length of a period in microseconds; of one entity's events in a period, the last counts.
    """
    rows = pl.concat([scan(home, table).select(key, "event_timestamp") for table in tables]).drop_nulls(key)
    period = pl.col("event_timestamp").dt.timestamp("us") // every
    last_events = rows.group_by(key, part=period).agg(pl.col("event_timestamp").max())
    just_after = (pl.col("event_timestamp").dt.timestamp("us") + 1).cast(MICROSECONDS_UTC)
    return last_events.select(key, event_timestamp=just_after).sort("event_timestamp", key).collect()


def incidents(home: Home, key: str) -> pl.DataFrame:
    """Reads labelled incidents of entities with a join key: ``entity_id``, ``kind``, ``start``, ``end``, ``known``.

    All times are microseconds since 1970. An open incident has an end in the far future.
    """
    rows = scan(home, "incidents").filter(pl.col("entity") == key).collect()
    return rows.select(
        "entity_id",
        "kind",
        start=pl.col("event_timestamp").dt.timestamp("us"),
        end=pl.col("ended").dt.timestamp("us").fill_null((1 << 62) - 1),
        known=pl.col("created_timestamp").dt.timestamp("us"),
    ).sort("start", "entity_id", "kind")
