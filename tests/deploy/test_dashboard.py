"""Every panel of the dashboard shows something of a running service, scraped by Prometheus with a key of its own."""

import json
import math
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil
import pytest
import yaml

from feature_repo.home import REPOSITORY, Home
from inference.security.keys import KeyRing
from tests.servers import free_port
from tests.serving import serving, wait_until

DEPLOY = REPOSITORY / "deploy"

pytestmark = [
    pytest.mark.journeys,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus on the path"),
]


@contextmanager
def _prometheus(folder: Path, target: str, key: str) -> Iterator[httpx.Client]:
    """Run Prometheus with the project's settings and rules on one service, scraped every second."""
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    settings["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    settings["rule_files"] = [str(DEPLOY / "prometheus" / "alerts.yaml")]
    (job,) = settings["scrape_configs"]
    job["static_configs"] = [{"targets": [target]}]
    (folder / "refrain.key").write_text(key)
    job["authorization"] = {"credentials_file": str(folder / "refrain.key")}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    address = f"127.0.0.1:{free_port()}"
    call = ["prometheus", f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'series'}"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen([*call, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=10) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _series(prometheus: httpx.Client, expression: str) -> list[dict[str, Any]]:
    """Query Prometheus; empty until it is up."""
    try:
        response = prometheus.get("/api/v1/query", params={"query": expression})
    except httpx.TransportError:
        return []
    return response.json()["data"]["result"] if response.status_code == 200 else []


def _has_value(prometheus: httpx.Client, expression: str) -> bool:
    return any(math.isfinite(float(one["value"][1])) for one in _series(prometheus, expression))


def _use(client: httpx.Client, headers: dict[str, str]) -> None:
    """Ask for what the panels count."""
    for number in range(4):
        body = {"user_id": f"u{number:06}", "count": 3}
        assert client.post("/v1/recommendations", json=body, headers=headers).status_code == 200
    act = {"user_id": "u000007", "action": "like", "track_id": "t000001"}
    assert client.post("/v1/feedback", json={"acts": [act]}, headers=headers).status_code == 202
    assert client.post("/v1/recommendations", json={"user_id": "u"}).status_code == 401


def test_every_panel_has_series_and_ended_workers_none(own_world: Home, tmp_path: Path) -> None:
    ring = KeyRing(own_world)
    headers = {"authorization": f"Bearer {ring.create('player', ['predict', 'send_events'])[0]}"}
    scraper_key = ring.create("prometheus", ["metrics"])[0]
    panels = json.loads((DEPLOY / "grafana" / "serving.json").read_text())["panels"]
    expressions = {target["expr"] for panel in panels for target in panel["targets"]}
    with (
        serving(own_world, "--workers", "2") as (client, process),
        _prometheus(tmp_path, f"{client.base_url.host}:{client.base_url.port}", scraper_key) as prometheus,
    ):
        end = time.monotonic() + 60
        while missing := {one for one in expressions if not _has_value(prometheus, one)}:
            assert time.monotonic() < end, missing
            _use(client, headers)
            time.sleep(0.5)
        alerts = {alert["metric"]["alertname"] for alert in _series(prometheus, 'ALERTS{alertstate="firing"}')}
        assert "RefrainGone" not in alerts

        memory = 'process_resident_memory_bytes{job="refrain"}'
        before = {one["metric"]["pid"] for one in _series(prometheus, memory)}
        workers = {child.pid: child for child in psutil.Process(process.pid).children() if str(child.pid) in before}
        assert len(before) == len(workers) == 2
        killed = next(iter(workers.values()))
        killed.kill()

        def is_replaced() -> bool:
            now = {one["metric"]["pid"] for one in _series(prometheus, memory)}
            return str(killed.pid) not in now and len(now) == 2

        wait_until(is_replaced, 120)
