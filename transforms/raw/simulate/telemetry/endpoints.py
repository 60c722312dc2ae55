"""Simulated requests: daily rhythm, latencies with a long tail, deployments, and incidents."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.raw.simulate.telemetry.accounts import Accounts
from transforms.raw.simulate.telemetry.hosts import day_rhythm
from transforms.raw.simulate.telemetry.schedule import DAY, MINUTE, SCRAPED, Event, TelemetrySize, names
from transforms.raw.table import MICROSECONDS_UTC

_LATENCY_US = (40_000, 15_000, 90_000, 30_000, 60_000, 25_000, 45_000, 120_000, 20_000, 70_000)
_SPREAD = 0.5
_ERRORS, _REFUSED = 0.004, 0.02
SCRAPING = (60, 240)
"""Lowest and highest rate of a scraper in requests per minute."""


def requests(
    size: TelemetrySize, schedule: Sequence[Event], accounts: Accounts, day: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Draw the requests to all endpoints on one day."""
    first = size.begin + day * DAY
    minutes = first + np.arange(1_440) * MINUTE
    frames = []
    for number, endpoint in enumerate(names(size)["endpoint"]):
        expected = size.rate * (1 + 0.6 * day_rhythm(minutes)) * (0.7 + 0.15 * (number % 5))
        incidents = [event for event in schedule if event.entity_id == endpoint]
        for event in incidents:
            if event.kind == "traffic_drop":
                expected = np.where(np.isfinite(event.share(minutes)), expected * 0.3 * (1 - event.strength), expected)
        at = np.repeat(minutes, rng.poisson(expected))
        at = at + rng.integers(0, MINUTE, len(at))
        frames.append(_regular_requests(size, number, endpoint, at, incidents, accounts, day, rng))
    frames += _scraper_requests(size, schedule, first, rng)
    rows = pl.concat(frames).sort("event_timestamp")
    return rows.with_columns(
        request_id=pl.format("{}-{}", pl.lit(day), pl.int_range(pl.len())),
        created_timestamp=pl.col("event_timestamp") + pl.duration(seconds=1),
    )


def _regular_requests(
    size: TelemetrySize,
    number: int,
    endpoint: str,
    at: np.ndarray,
    incidents: Sequence[Event],
    accounts: Accounts,
    day: int,
    rng: np.random.Generator,
) -> pl.DataFrame:
    who = rng.choice(size.accounts, len(at), p=accounts.activity)
    median = _LATENCY_US[number % len(_LATENCY_US)] * (1 + 0.15 * day_rhythm(at))
    latency = median * np.exp(_SPREAD * rng.normal(size=len(at)))
    error_rate = np.full(len(at), _ERRORS)
    deployed = size.begin + day * DAY + 10 * 60 * MINUTE if (day * 3 + number) % 7 == 0 else 0
    if deployed:  # a deployment: two slow minutes that are not an incident
        latency = np.where((at >= deployed) & (at < deployed + 2 * MINUTE), latency * 1.6, latency)
    for event in incidents:
        inside = np.isfinite(event.share(at))
        if event.kind == "latency_step":
            latency = np.where(inside, latency * (2.2 + 2.5 * event.strength), latency)
        if event.kind == "error_burst":
            error_rate = np.where(inside, 0.12 + 0.5 * event.strength, error_rate)
    drawn = rng.random(len(at))
    status = np.where(drawn < error_rate, 503, np.where(drawn < error_rate + _REFUSED, 404, 200))
    return _rows(endpoint, size, at, accounts.address(who, rng), accounts.users.gather(who), status, latency, rng)


def _scraper_requests(
    size: TelemetrySize, schedule: Sequence[Event], first: int, rng: np.random.Generator
) -> list[pl.DataFrame]:
    endpoints = names(size)["endpoint"]
    frames = []
    for event in schedule:
        low, high = max(event.start, first), min(event.end, first + DAY)
        if event.kind != "scraping" or high <= low:
            continue
        rate = SCRAPING[0] + event.strength * (SCRAPING[1] - SCRAPING[0])
        at = np.sort(rng.integers(low, high, int(rate * (high - low) / MINUTE)))
        status = np.where(rng.random(len(at)) < 0.15, 404, 200)
        target = rng.integers(0, min(SCRAPED, len(endpoints)), len(at))
        latency = 30_000 * np.exp(_SPREAD * rng.normal(size=len(at)))
        for number in np.unique(target):
            is_target = target == number
            address = pl.Series([event.entity_id] * int(is_target.sum()))
            no_user = pl.Series([None] * int(is_target.sum()), dtype=pl.String)
            frames.append(
                _rows(
                    endpoints[number], size, at[is_target], address, no_user, status[is_target], latency[is_target], rng
                )
            )
    return frames


def _rows(
    endpoint: str,
    size: TelemetrySize,
    at: np.ndarray,
    address: pl.Series,
    user: pl.Series,
    status: np.ndarray,
    latency: np.ndarray,
    rng: np.random.Generator,
) -> pl.DataFrame:
    hosts = pl.Series(names(size)["host_id"])
    return pl.DataFrame(
        {
            "endpoint": [endpoint] * len(at),
            "event_timestamp": pl.Series(at).cast(MICROSECONDS_UTC),
            "host_id": hosts.gather(rng.integers(0, size.hosts, len(at))),
            "client_ip": address,
            "user_id": user,
            "status": status.astype(np.int64),
            "latency_us": np.minimum(latency, 3e7).astype(np.int64),
            "bytes": (8_000 * np.exp(0.7 * rng.normal(size=len(at)))).astype(np.int64),
        }
    )
