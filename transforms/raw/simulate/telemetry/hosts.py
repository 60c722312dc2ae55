"""Simulated host metrics by minute: daily rhythm, autocorrelated noise, nightly jobs, and incidents."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from transforms.raw.simulate.telemetry.schedule import DAY, MINUTE, Event, TelemetrySize, names
from transforms.raw.table import MICROSECONDS_UTC

LEVEL = {
    "cpu_permille": 280.0,
    "memory_permille": 520.0,
    "disk_permille": 430.0,
    "network_in": 4.0e6,
    "network_out": 1.1e7,
    "disk_io": 2.5e6,
    "connections": 420.0,
}
_RHYTHM = {"cpu_permille": 0.45, "memory_permille": 0.06, "network_in": 0.55, "network_out": 0.55, "connections": 0.5}
NOISE = {"cpu_permille": 0.09, "memory_permille": 0.01, "disk_permille": 0.001, "disk_io": 0.25}
KEPT = 0.8
"""Autocorrelation of the noise from one minute to the next."""
JOB_MINUTES = 12


def host_metrics(
    size: TelemetrySize,
    schedule: Sequence[Event],
    day: int,
    last_noise: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Draw the metrics of all hosts for one day.

    Args:
        size: size of the service.
        schedule: all incidents.
        day: number of the day, counted from the start.
        last_noise: metric → (hosts,) noise at the end of the day before; changed in place.
        rng: random generator.
    """
    hosts = names(size)["host_id"]
    times = size.begin + day * DAY + np.arange(1_440) * MINUTE
    rhythm = day_rhythm(times)
    frames = []
    load = busyness(len(hosts))
    values: dict[str, np.ndarray] = {}
    for name, level in LEVEL.items():
        noise = _autocorrelated_noise(last_noise, name, len(hosts), rng)
        wave = 1 + _RHYTHM.get(name, 0.0) * rhythm
        values[name] = level * load[:, None] * wave * np.exp(NOISE.get(name, 0.12) * noise)
    _nightly_job(values, rng, len(hosts))
    for number, host in enumerate(hosts):
        metrics = {name: value[number] for name, value in values.items()}
        for event in schedule:
            if event.entity_id == host and event.start < times[-1] + MINUTE and event.end > times[0]:
                _apply_incident(metrics, event, times, rng)
        frames.append(
            pl.DataFrame(
                {
                    "host_id": [host] * len(times),
                    "event_timestamp": pl.Series(times + int(rng.integers(0, 20_000_000))).cast(MICROSECONDS_UTC),
                    **{
                        name: np.clip(np.rint(value), 0, 1_000 if name.endswith("permille") else None).astype(np.int64)
                        for name, value in metrics.items()
                    },
                }
            )
        )
    rows = pl.concat(frames).filter(pl.Series(rng.random(len(frames) * len(times)) > 0.002))  # lost scrapes
    return rows.with_columns(created_timestamp=pl.col("event_timestamp") + pl.duration(seconds=2))


def busyness(hosts: int) -> np.ndarray:
    """(hosts,) relative load of each host, 0.8 to 1.2."""
    return 0.8 + 0.4 * (np.arange(hosts) % 5) / 4


def day_rhythm(times: np.ndarray) -> np.ndarray:
    """Daily rhythm: from -1 in the early morning to 1 in the evening, weaker at weekends."""
    hours = (times % DAY) / 3_600_000_000
    weekend = ((times // DAY + 3) % 7) >= 5
    return np.asarray(-np.cos((hours - 5) / 24 * 2 * np.pi) * np.where(weekend, 0.8, 1.0))


def _autocorrelated_noise(
    last_noise: dict[str, np.ndarray], name: str, hosts: int, rng: np.random.Generator
) -> np.ndarray:
    """(hosts, 1440) autocorrelated noise of variance 1 with rare bursts; stores the last minute in ``last_noise``."""
    drawn = rng.normal(0, 1, (hosts, 1_440)) + np.where(
        rng.random((hosts, 1_440)) < 0.001, rng.exponential(3, (hosts, 1_440)), 0
    )
    innovation_share = np.sqrt(1 - KEPT**2)
    noise = np.empty((hosts, 1_440))
    state = last_noise.get(name, np.zeros(hosts))
    for minute in range(1_440):
        state = KEPT * state + innovation_share * drawn[:, minute]
        noise[:, minute] = state
    last_noise[name] = state
    return noise


def _nightly_job(values: dict[str, np.ndarray], rng: np.random.Generator, hosts: int) -> None:
    """Add a backup at three o'clock, of about the same length every night."""
    for host in range(hosts):
        begin = 180 + (host % 4) * 7 + int(rng.integers(0, 2))
        part = slice(begin, begin + JOB_MINUTES + int(rng.integers(0, 3)))
        values["disk_io"][host, part] *= 6
        values["cpu_permille"][host, part] += 180


def _apply_incident(metrics: dict[str, np.ndarray], event: Event, times: np.ndarray, rng: np.random.Generator) -> None:
    share = event.share(times)
    inside = np.isfinite(share)
    if event.kind == "saturation":
        metrics["cpu_permille"][inside] = 930 + 40 * event.strength + rng.normal(0, 12, inside.sum())
        metrics["connections"][inside] *= 1.4 + event.strength
    if event.kind == "leak":
        metrics["memory_permille"][inside] += leaked(metrics["memory_permille"][inside], share[inside], event.strength)


def leaked(memory: np.ndarray, share: np.ndarray, strength: float) -> np.ndarray:
    """(n,) permille of memory that a leak adds to the memory in use (n,), after shares (n,) of its duration."""
    return (985 - memory) * share ** (1.2 - 0.4 * strength)
