"""Serving under load, with wrk: latency and throughput, cost of the checks, a soak test, model swaps, an attack.

A world as in ``benchmarks.serving`` is served by ``refrain serve`` in processes of its own. wrk (Debian's
package) requests ten tracks for one listener after the other over loopback, on the same two cores.

- **Load**: 1, 8 and 64 connections against 1 and 2 worker processes, with the latency controller on (its goal is 100
  ms; its final level is reported) and, at 64, off. Memory of each worker (proportional set size).
- **Overhead**: all checks (key, role, rate, quota, audit, an experiment with its exposures, all answers and impressions
  logged) against the same application without any of them, both running, in turns, one connection; medians.
- **Soak**: half the peak rate for ten minutes: errors, and memory at the beginning and the end.
- **Swap**: four promotions while 8 connections send requests: failed answers.
- **Attack**: valid requests of one connection while 8 others send invalid requests as fast as they can.
- **Start**: from the start of a worker to its first answer.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.surroundings import MACHINE, judged
from feature_repo import experiments
from feature_repo.bundle import ALIASES, MANIFEST
from feature_repo.experiments import Experiment, Variant
from feature_repo.home import REPOSITORY, Home
from inference.security.caller import Limits
from inference.security.keys import KeyRing

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
KEY
local n = 0
local pause = tonumber(os.getenv("PAUSE") or "0")
BODY
if pause > 0 then function delay() return pause end end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('JSON{"p50":%f,"p95":%f,"p99":%f,"requests":%d,"seconds":%f,"failed":%d}\\n',
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    summary.requests, summary.duration / 1e6, e.status + e.connect + e.read + e.write + e.timeout))
end
"""
GOOD = """
request = function()
  n = n + 1
  return wrk.format(nil, "/v1/recommendations", nil, string.format('{"user_id":"u%06d","count":10}', (n * 7919) % 2000))
end"""
BAD = """
local bodies = {'{', '{"user_id":1}', string.rep('[', 1000), '{"user_id":"u","count":0}'}
request = function()
  n = n + 1
  return wrk.format(nil, "/v1/recommendations", nil, bodies[n % 4 + 1])
end"""
BARE = """
import sys, uvicorn
from inference.api.app import create_app
app = create_app(access="open")
app.user_middleware.clear()
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
"""


@dataclass(frozen=True)
class WrkResult:
    """The result of one run of wrk.

    Attributes:
        p50: median latency in milliseconds.
        p95: 95th percentile of the latency in milliseconds.
        p99: 99th percentile of the latency in milliseconds.
        rate: answers per second.
        failed: number of error answers and broken connections.
    """

    p50: float
    p95: float
    p99: float
    rate: float
    failed: int


def wrk(port: int, connections: int, seconds: float, *, key: str = "", body: str = GOOD, pause: int = 0) -> WrkResult:
    """Send requests for some seconds."""
    header = f'wrk.headers["Authorization"] = "Bearer {key}"' if key else ""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.replace("KEY", header).replace("BODY", body))
        script.flush()
        call = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "-s", script.name]
        environment = {**os.environ, "PAUSE": str(pause)}
        process = subprocess.run(
            [*call, f"http://127.0.0.1:{port}"], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    line = next(line for line in process.stdout.splitlines() if line.startswith("JSON"))
    summary = json.loads(line[4:])
    return WrkResult(
        summary["p50"], summary["p95"], summary["p99"], summary["requests"] / summary["seconds"], summary["failed"]
    )


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(
    home: Home, *arguments: str, call: list[str] | None = None, **variables: str
) -> Iterator[tuple[int, int, float]]:
    """Run a server; yields its port, its process id, and the seconds until its first answer."""
    port, started = free_port(), time.perf_counter()
    python = [sys.executable, "-W", "ignore"]
    serve_command = [*python, "-m", "inference", "serve", "--access", "open", "--port", str(port), *arguments]
    bare_command = [*python, *(call or []), str(port)]
    environment = {**os.environ, "REFRAIN_HOME": str(home.root), **variables}
    process = subprocess.Popen(
        bare_command if call else serve_command,
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not is_up(port):
            if process.poll() is not None:
                raise SystemExit("the server does not start; try: refrain serve")
            time.sleep(0.01)
        yield port, process.pid, time.perf_counter() - started
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def is_up(port: int) -> bool:
    """Whether the server is healthy."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def level(port: int) -> int:
    """Read the current level of the latency controller from ``refrain_level``."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return max([int(float(line.split()[-1])) for line in lines if line.startswith("refrain_level")] or [0])


def memory(pid: int) -> float:
    """Return the proportional set size of a server's largest process in megabytes."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return max(float(process.memory_full_info().pss) for process in processes) / 2**20


def load(home: Home, seconds: float) -> list[dict[str, Any]]:
    """Measure latency and throughput."""
    cases: list[dict[str, Any]] = []
    print(f"{'':34}{'p50':>9}{'p95':>9}{'p99':>9}{'a second':>10}{'failed':>8}{'level':>7}  ms")
    for workers in (1, 2):
        with serving(home, "--workers", str(workers)) as (port, pid, started):
            wrk(port, 4, 3)
            for connections in (1, 8, 64):
                result = wrk(port, connections, seconds)
                final_level = level(port)
                name = f"{workers} worker{'s' if workers > 1 else ''}, {connections} connections"
                cases += _load_cases(name, result, final_level)
                time.sleep(8)  # the controller recovers
            megabytes = memory(pid)
            cases.append(
                {
                    "case": f"{workers} worker{'s' if workers > 1 else ''}",
                    "metric": "MB a worker",
                    "value": round(megabytes),
                }
            )
            print(f"{workers} workers: {megabytes:.0f} MB a worker")
            if workers == 1:
                cases.append({"case": "cold start", "metric": "seconds", "value": round(started, 2), "goal": "<= 2"})
                print(f"from the start of a worker to its first answer: {started:.2f} s")
        with serving(home, "--workers", str(workers), "--p99", "1000000") as (port, _, _):
            wrk(port, 4, 3)
            cases += _load_cases(
                f"{workers} workers, 64 connections, nothing left out", wrk(port, 64, seconds), level(port)
            )
    return cases


def _load_cases(name: str, result: WrkResult, level: int) -> list[dict[str, Any]]:
    print(f"{name:34}{result.p50:9.1f}{result.p95:9.1f}{result.p99:9.1f}{result.rate:10.0f}{result.failed:8}{level:7}")
    values = {"p50": result.p50, "p95": result.p95, "p99": result.p99, "a second": result.rate, "level": level}
    cases = [{"case": name, "metric": metric, "value": round(value, 1)} for metric, value in values.items()]
    return [*cases, {"case": name, "metric": "failed", "value": result.failed, "goal": "0"}]


def overhead(home: Home, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Measure the cost of the checks: both servers run and get requests in turns."""
    ring, experiment = KeyRing(home), f"bench_{int(time.time())}"
    key, record = ring.create("bench", ["predict"], days=1, limits=Limits(1e6, 1_000_000, 10**9))
    arms = (Variant("control"), Variant("other", settings={"most_by_artist": 4}))
    experiments.add(home, Experiment(experiment, arms, layer=experiment))
    experiments.start(home, experiment, datetime.now(UTC))
    logs = {"REFRAIN_LOG_PREDICTIONS": "1", "REFRAIN_LOG_IMPRESSIONS": "1"}
    latencies_ms: dict[str, list[float]] = {"bare": [], "whole": []}
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(BARE)
        script.flush()
        no_logs = {"REFRAIN_LOG_PREDICTIONS": "0", "REFRAIN_LOG_IMPRESSIONS": "0", "PYTHONPATH": str(REPOSITORY)}
        with (
            serving(home, call=[script.name], **no_logs) as (bare, _, _),
            serving(home, "--access", "keys", **logs) as (whole, _, _),
        ):
            for _ in range(rounds + 1):
                for name, port, bearer in (("bare", bare, ""), ("whole", whole, key)):
                    latencies_ms[name].append(wrk(port, 1, seconds, key=bearer).p50)
    medians = {name: statistics.median(values[1:]) for name, values in latencies_ms.items()}
    share = medians["whole"] / medians["bare"] - 1
    print(f"p50 of one connection: bare {medians['bare']:.2f} ms, whole {medians['whole']:.2f} ms: {share:+.1%}")
    experiments.stop(home, experiment, datetime.now(UTC), "measured")
    ring.revoke(record.id)
    return [
        {"case": "bare", "metric": "p50", "value": round(medians["bare"], 2)},
        {"case": "key, limits, logs, experiment", "metric": "p50", "value": round(medians["whole"], 2)},
        {"case": "checks over bare", "metric": "share of p50", "value": round(share, 3), "goal": "<= 0.1"},
    ]


def soak(home: Home, seconds: float) -> list[dict[str, Any]]:
    """Run at half the peak rate for a long time."""
    with serving(home, "--workers", "2") as (port, pid, _):
        wrk(port, 8, 4)
        peak = wrk(port, 8, 8).rate
        time.sleep(8)
        pause = max(int(8 / (peak / 2) * 1e3 - 15), 1)  # an answer takes 15 ms
        wrk(port, 8, min(30.0, seconds / 4), pause=pause)
        sizes: list[float] = []
        done = threading.Event()

        def watch() -> None:
            while not done.wait(5):
                sizes.append(memory(pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        result = wrk(port, 8, seconds, pause=pause)
        done.set()
        watcher.join()
    tenth = max(len(sizes) // 10, 1)
    first, last = statistics.mean(sizes[:tenth]), statistics.mean(sizes[-tenth:])
    print(
        f"{seconds / 60:.0f} minutes at {result.rate:.0f} a second (peak {peak:.0f}): {result.failed} failed, "
        f"p99 {result.p99:.1f} ms, a worker {first:.0f} → {last:.0f} MB"
    )
    return [
        {"case": "soak", "metric": "a second", "value": round(result.rate, 1)},
        {"case": "soak", "metric": "failed", "value": result.failed, "goal": "0"},
        {"case": "soak", "metric": "p99", "value": round(result.p99, 1)},
        {"case": "soak", "metric": "growth of memory", "value": round(last / first - 1, 3), "goal": "<= 0.02"},
    ]


def swap(home: Home) -> list[dict[str, Any]]:
    """Promote versions under load."""
    from training.bundle import write_bundle

    folder = home.bundles("recommendation")
    aliases = (folder / ALIASES).read_text()
    manifest = json.loads((folder / "1" / MANIFEST).read_text())
    files = {name: (folder / "1" / name).read_bytes() for name in manifest.pop("files")}
    manifest.pop("code_revision")
    manifest.pop("refrain")
    with serving(home, "--workers", "2") as (port, _, _):
        results: list[WrkResult] = []
        client = threading.Thread(target=lambda: results.append(wrk(port, 8, 24)))
        client.start()
        for version in range(101, 105):
            time.sleep(5)
            write_bundle(folder / str(version), files, manifest | {"version": version})
            (folder / ALIASES).write_text(json.dumps({"champion": str(version)}))
        client.join()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5) as answer:
            models = json.loads(answer.read())["models"]
    served = next(model for model in models if model["serves"] == "recommendations")["versions"]
    (folder / ALIASES).write_text(aliases)
    for version in range(101, 105):
        shutil.rmtree(folder / str(version))
    count = round(results[0].rate * 24)
    print(f"4 promotions while {count:,} answers were given: {results[0].failed} failed; at the end {served}")
    return [
        {"case": "swap under load", "metric": "failed", "value": results[0].failed, "goal": "0"},
        {"case": "swap under load", "metric": "p99", "value": round(results[0].p99, 1)},
        {"case": "swap under load", "metric": "served at last", "value": served["recommendation"]},
    ]


def attack(home: Home, seconds: float) -> list[dict[str, Any]]:
    """Send valid requests while others send invalid ones."""
    with serving(home) as (port, _, _):
        alone = wrk(port, 1, 5)
        attack_results: list[WrkResult] = []
        attacker = threading.Thread(target=lambda: attack_results.append(wrk(port, 8, seconds + 2, body=BAD)))
        attacker.start()
        time.sleep(1)
        result = wrk(port, 1, seconds)
        attacker.join()
    refused = attack_results[0].failed / (seconds + 2)
    print(
        f"{refused:,.0f} bad requests a second: good ones p50 {alone.p50:.1f} → {result.p50:.1f} ms, "
        f"p99 {alone.p99:.1f} → {result.p99:.1f} ms, {result.failed} failed"
    )
    return [
        {"case": "attack", "metric": "bad requests a second", "value": round(refused), "goal": ">= 1000"},
        {"case": "attack", "metric": "good requests failed", "value": result.failed, "goal": "0"},
        {"case": "attack", "metric": "p99 of good requests", "value": round(result.p99, 1)},
    ]


def measure(home: Home, *, quick: bool = False) -> list[dict[str, Any]]:
    """Run all measurements.

    Raises:
        SystemExit: wrk is not installed.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt-get install wrk")
    return [
        *load(home, 5 if quick else 15),
        *overhead(home, 3 if quick else 9, 3 if quick else 5),
        *swap(home),
        *attack(home, 5 if quick else 10),
        *soak(home, 20 if quick else 600),
    ]


def main() -> None:
    """Print the tables and one line of JSON."""
    from benchmarks.serving import make_world
    from feature_repo.stores import redis_server

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three minutes instead of twenty")
    parser.add_argument("--home", type=Path, help="an existing world; simulated if left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(options.home or Path(scratch) / "home")
        os.environ["REFRAIN_HOME"] = str(home.root)
        try:
            if options.home is None:
                make_world(home)
            cases = measure(home, quick=options.quick)
        finally:
            if options.home is None:
                redis_server.stop(home)
    print(json.dumps({"benchmark": "serving_load", "machine": MACHINE, "cases": judged(cases)}))


if __name__ == "__main__":
    main()
