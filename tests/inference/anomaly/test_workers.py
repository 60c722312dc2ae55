"""Detections by one process, by two, and after the death of one: value for value the same."""

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from feature_repo.home import Home
from inference.anomaly.observation import Observation
from tests.inference.anomaly.test_journal import START, batches
from tests.serving import serving, wait_until, worker_pids
from tests.worlds import copied

REQUESTS = 120
METRICS = {"cpu": "cpu_permille", "memory": "memory_permille"}


def bodies() -> list[dict[str, Any]]:
    """Requests with observations of two hosts, and of a third that is steady for 300 minutes and then far out."""
    observed = batches(REQUESTS, seed=13)
    observed[0] += [steady(minute, 300.0 + minute % 3) for minute in range(300)]
    for number in range(REQUESTS // 2, REQUESTS):
        observed[number].append(steady(240 + number, 990.0))
    return [
        {
            "detector": "system",
            "observations": [
                {
                    "entity": observation.entity,
                    "at": observation.at.isoformat(),
                    "values": {METRICS[name]: value for name, value in observation.values.items()},
                }
                for observation in batch
            ],
        }
        for batch in observed
    ]


def steady(minute: int, value: float) -> Observation:
    return Observation("c", START + timedelta(minutes=minute), {"cpu": value})


def answers(home: Home, workers: int, *, deaths: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """Ask one request at a time, each on a connection of its own; a worker is killed before some of them."""
    found = []
    with serving(home, "--workers", str(workers)) as (client, process):
        for number, body in enumerate(bodies()):
            if number in deaths:
                pids = worker_pids(process.pid)
                os.kill(pids[0], signal.SIGKILL)
                wait_until(lambda: pids[0] not in worker_pids(process.pid))  # noqa: B023 (called at once)
            with httpx.Client(base_url=client.base_url, timeout=60) as one:
                try:
                    response = one.post("/v1/anomalies/detect", json=body)
                except httpx.TransportError:  # the worker that died had taken the connection
                    response = one.post("/v1/anomalies/detect", json=body)
            assert response.status_code == 200, response.text
            found.append(response.json())
    return found


@pytest.mark.journeys
def test_one_worker_two_workers_and_a_death(telemetry: Home, tmp_path: Path) -> None:
    found = []
    for name, workers, deaths in (("one", 1, ()), ("two", 2, ()), ("died", 2, (REQUESTS // 3, 2 * REQUESTS // 3))):
        with pytest.MonkeyPatch.context() as patch:
            for home in copied(telemetry, Home(tmp_path / name), patch, "raw", "tiles", "features"):
                found.append(answers(home, workers, deaths=deaths))
    one, two, died = found
    assert sum(detection["p_value"] is not None for answer in one for detection in answer["detections"]) > REQUESTS
    assert sum(len(answer["incidents"]) for answer in one) > 0
    assert two == one
    assert died == one
