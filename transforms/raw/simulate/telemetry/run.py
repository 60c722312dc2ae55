"""Draws a service and its incidents, and imports them like any other source."""

from collections.abc import Iterator

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.home import Home
from transforms.raw.ingest import Batch, ingest
from transforms.raw.report import Report
from transforms.raw.simulate.telemetry.accounts import draw_accounts, logins, plays
from transforms.raw.simulate.telemetry.endpoints import requests
from transforms.raw.simulate.telemetry.hosts import host_metrics
from transforms.raw.simulate.telemetry.masters import audio_measurements
from transforms.raw.simulate.telemetry.schedule import TelemetrySize, draw_schedule, labels


def simulate_telemetry(home: Home, size: TelemetrySize, seed: int, *, progress: Progress = silent) -> Report:
    """Fill the raw tables with simulated telemetry; the incidents are stored as ``incidents``."""
    return ingest(home, f"telemetry seed={seed}", _days(size, seed), progress=progress)


def _days(size: TelemetrySize, seed: int) -> Iterator[Batch]:
    rng = np.random.default_rng(seed)
    schedule = draw_schedule(size, rng)
    accounts = draw_accounts(size, rng)
    yield Batch("incidents", labels(size, schedule))
    last_noise: dict[str, np.ndarray] = {}
    for day in range(size.days):
        yield Batch("host_metrics", host_metrics(size, schedule, day, last_noise, rng))
        yield Batch("requests", requests(size, schedule, accounts, day, rng))
        yield Batch("logins", logins(size, schedule, accounts, day, rng))
        yield Batch("plays", plays(size, schedule, accounts, day, rng))
        masters = audio_measurements(size, schedule, day, rng)
        yield Batch("audio_measurements", masters, done=day + 1, total=size.days)
