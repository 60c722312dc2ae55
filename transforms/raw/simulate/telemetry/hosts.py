"""Hosts, minute by minute: the day's rhythm, noise with a memory, nightly jobs, and what goes wrong."""

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
"""Of the noise, from one minute to the next."""
JOB_MINUTES = 12


def host_metrics(
    size: TelemetrySize, schedule: Sequence[Event], day: int, carried: dict[str, np.ndarray], rng: np.random.Generator
) -> pl.DataFrame:
    """One day of all hosts.

    Args:
        size: of the service.
        schedule: what goes wrong.
        day: counted from the start.
        carried: the noise of each metric at the end of the day before; changed in place.
        rng: what is drawn from.
    """
    hosts = names(size)["host_id"]
    times = size.begin + day * DAY + np.arange(1_440) * MINUTE
    rhythm = day_rhythm(times)
    frames = []
    busy = busyness(len(hosts))
    values: dict[str, np.ndarray] = {}
    for name, level in LEVEL.items():
        noise = _remembering(carried, name, len(hosts), rng)
        wave = 1 + _RHYTHM.get(name, 0.0) * rhythm
        values[name] = level * busy[:, None] * wave * np.exp(NOISE.get(name, 0.12) * noise)
    _nightly_job(values, rng, len(hosts))
    for number, host in enumerate(hosts):
        mine = {name: value[number] for name, value in values.items()}
        for event in schedule:
            if event.entity_id == host and event.start < times[-1] + MINUTE and event.end > times[0]:
                _break(mine, event, times, rng)
        frames.append(
            pl.DataFrame(
                {
                    "host_id": [host] * len(times),
                    "event_timestamp": pl.Series(times + int(rng.integers(0, 20_000_000))).cast(MICROSECONDS_UTC),
                    **{
                        name: np.clip(np.rint(value), 0, 1_000 if name.endswith("permille") else None).astype(np.int64)
                        for name, value in mine.items()
                    },
                }
            )
        )
    rows = pl.concat(frames).filter(pl.Series(rng.random(len(frames) * len(times)) > 0.002))  # scrapes get lost
    return rows.with_columns(created_timestamp=pl.col("event_timestamp") + pl.duration(seconds=2))


def busyness(hosts: int) -> np.ndarray:
    """(hosts,) how much each has to do, 0.8 to 1.2."""
    return 0.8 + 0.4 * (np.arange(hosts) % 5) / 4


def day_rhythm(times: np.ndarray) -> np.ndarray:
    """-1 at four in the morning to 1 in the evening, less at weekends."""
    hours = (times % DAY) / 3_600_000_000
    weekend = ((times // DAY + 3) % 7) >= 5
    return np.asarray(-np.cos((hours - 5) / 24 * 2 * np.pi) * np.where(weekend, 0.8, 1.0))


def _remembering(carried: dict[str, np.ndarray], name: str, hosts: int, rng: np.random.Generator) -> np.ndarray:
    """(hosts, 1440) noise of variance 1, each minute close to the one before, with rare bursts."""
    drawn = rng.normal(0, 1, (hosts, 1_440)) + np.where(
        rng.random((hosts, 1_440)) < 0.001, rng.exponential(3, (hosts, 1_440)), 0
    )
    share = np.sqrt(1 - KEPT**2)
    noise = np.empty((hosts, 1_440))
    state = carried.get(name, np.zeros(hosts))
    for minute in range(1_440):
        state = KEPT * state + share * drawn[:, minute]
        noise[:, minute] = state
    carried[name] = state
    return noise


def _nightly_job(values: dict[str, np.ndarray], rng: np.random.Generator, hosts: int) -> None:
    """A backup at three o'clock, of about the same length every night."""
    for host in range(hosts):
        begin = 180 + (host % 4) * 7 + int(rng.integers(0, 2))
        part = slice(begin, begin + JOB_MINUTES + int(rng.integers(0, 3)))
        values["disk_io"][host, part] *= 6
        values["cpu_permille"][host, part] += 180


def _break(mine: dict[str, np.ndarray], event: Event, times: np.ndarray, rng: np.random.Generator) -> None:
    share = event.share(times)
    inside = np.isfinite(share)
    if event.kind == "saturation":
        mine["cpu_permille"][inside] = 930 + 40 * event.strength + rng.normal(0, 12, inside.sum())
        mine["connections"][inside] *= 1.4 + event.strength
    if event.kind == "leak":
        mine["memory_permille"][inside] += leaked(mine["memory_permille"][inside], share[inside], event.strength)


def leaked(memory: np.ndarray, share: np.ndarray, strength: float) -> np.ndarray:
    """(n,) permille that a leak has taken beside what is in use (n,), after shares (n,) of its time."""
    return (985 - memory) * share ** (1.2 - 0.4 * strength)
