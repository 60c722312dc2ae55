"""Live windowed tables: events per second on one core, and the latency until the row of an event is online.

Three tables (user, track, artist), each with ten aggregates over four windows (1 hour, 1, 7 and 28 days): count, sum,
mean, smallest, largest, standard deviation, rate, distinct, the 5 most frequent, the 10 newest; 120 features an event.
Events as in ``benchmarks.windows``: 20,000 listeners, 50,000 tracks, 5,000 artists, a long tail. The reader (the one of
``refrain stream``) is pinned to one core; Redis, the sender and the poller share the other.

- throughput: the events wait in the stream; measured from the first event read to the last one acknowledged.
- latency: events arrive at half the goal's rate, a hundred every ten milliseconds; one of each hundred is a probe with
  a listener of its own, timed from before it is sent until its row is read. Five seconds of warm-up.

    python -m benchmarks.stream [--quick]
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, cast

from benchmarks.surroundings import MACHINE

EVENTS, QUICK_EVENTS = 600_000, 60_000
RATE = 20_000
"""Goal in events per second."""

LATENCY_SECONDS, QUICK_SECONDS = 30, 8
WARM_SECONDS = 5
LOOK_SECONDS = 0.002
"""Seconds between two polls for rows: the pause adds to the latency, and polling takes time of Redis' core."""


def declare() -> None:
    """Declare the tables of this benchmark in place of the project's."""
    from feature_repo.contract import contract_of
    from feature_repo.definitions.events.plays import plays
    from feature_repo.home import DEFAULT_ROOT, Home
    from feature_repo.windows import Count, Distinct, LastN, Max, Mean, Min, Rate, Std, Sum, TopK, WindowedTable

    windowed = cast(dict[str, WindowedTable], contract_of(Home(DEFAULT_ROOT)).windowed)
    windowed.clear()
    for key, other_key, few_values in (
        ("user_id", "track_id", "artist_id"),
        ("track_id", "user_id", "context"),
        ("artist_id", "user_id", "track_id"),
    ):
        name = f"live_{key.removesuffix('_id')}"
        windowed[name] = WindowedTable(
            name=name,
            about="120 features an event",
            source=plays,
            keys=(key,),
            windows=("1h", "1d", "7d", "28d"),
            features={
                "plays": Count(),
                "listening_ms": Sum("ms_played"),
                "mean_ms": Mean("ms_played"),
                "least_ms": Min("ms_played"),
                "most_ms": Max("ms_played"),
                "spread_ms": Std("ms_played"),
                "skip_rate": Rate("skipped"),
                "distinct": Distinct(other_key),
                "top": TopK(few_values, k=5),
                "recent": LastN(other_key, n=10),
            },
            every="event",
        )


def make_events(count: int, seed: int) -> list[bytes]:
    """Create events as JSON without their end, which has the event time."""
    import numpy as np

    random = np.random.default_rng(seed)
    user = (random.pareto(1.5, count) * 2_500).astype(np.int64) % 20_000
    track = random.zipf(1.3, count) % 50_000
    columns = (
        user.tolist(),
        track.tolist(),
        (track % 5_000).tolist(),
        random.integers(0, 300_000, count).tolist(),
        (random.random(count) < 0.3).tolist(),
        random.integers(0, 5, count).tolist(),
    )
    return [
        b'{"user_id":"u%06d","track_id":"t%06d","artist_id":"a%06d","ms_played":%d,"skipped":%s,"context":"c%d",'
        b'"device":"phone","event_timestamp":"' % (u, t, a, ms, b"true" if skip else b"false", c)
        for u, t, a, ms, skip, c in zip(*columns, strict=True)
    ]


def stamped_event(event: bytes, micros: int) -> tuple[str, bytes]:
    """Complete an event with a moment."""
    return "plays", event + end_of(micros)


def end_of(micros: int) -> bytes:
    """Return the end of an event's JSON for a moment."""
    seconds, rest = divmod(micros, 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b'.%06dZ"}' % rest


def reader(root: Path, until_idle: bool) -> None:
    """Run the reader on one core; it prints when it is ready, and a report at the end."""
    os.sched_setaffinity(0, {0})
    declare()
    from feature_repo.home import Home
    from feature_repo.packed.address import Address
    from transforms.stream.reader import Reader, Settings
    from transforms.stream.sources import Stream

    printed_at: list[float] = []

    def say(text: str) -> None:
        printed_at.append(time.perf_counter())
        print(json.dumps({"said": text}), flush=True)

    settings = Settings(until_idle=until_idle, flood=10**9)
    report = Reader(Home(root), Address.from_env(), Stream, settings, say=say).run()
    seconds, cpu = time.perf_counter() - printed_at[-1], time.process_time()
    print(json.dumps({"seconds": seconds, "cpu": cpu, "rows": report.rows, "batches": report.batches}), flush=True)


def start_reader(root: Path, *, until_idle: bool) -> subprocess.Popen[str]:
    """Start the reader in a process of its own."""
    call = [sys.executable, "-W", "ignore", "-m", "benchmarks.stream", "--reader", str(root)]
    return subprocess.Popen([*call, *(["--until-idle"] if until_idle else [])], stdout=subprocess.PIPE, text=True)


def throughput(root: Path, count: int) -> dict[str, Any]:
    """Measure events per second of events that wait in the stream."""
    from feature_repo.events import Names, append
    from feature_repo.home import Home
    from feature_repo.packed.address import Address
    from feature_repo.packed.server import WRITE_TIMEOUT, open_server

    home = Home(root)
    server, names = open_server(home, Address.from_env(), WRITE_TIMEOUT), Names(home.project)
    events = make_events(count, seed=1)
    begin_us = time.time_ns() // 1000 - count * 1_000_000 // RATE
    stamped = [stamped_event(event, begin_us + number * 1_000_000 // RATE) for number, event in enumerate(events)]
    for start in range(0, count, 5_000):
        append(server, names, stamped[start : start + 5_000])
    process = start_reader(root, until_idle=True)
    output, _ = process.communicate()
    report = json.loads(output.strip().splitlines()[-1])
    return {
        "events_per_second": round(count / report["seconds"]),
        "rows_per_event": round(report["rows"] / count, 2),
        **report,
    }


def latency(root: Path, rate: int, seconds: int) -> dict[str, Any]:
    """Send events at a rate and measure the time until the row of a probe can be read."""
    import numpy as np

    from feature_repo.events import Names, append
    from feature_repo.home import Home
    from feature_repo.packed import entity_key
    from feature_repo.packed.address import Address
    from feature_repo.packed.server import WRITE_TIMEOUT, open_server
    from feature_repo.stores import redis_server

    home = Home(root)
    server, names = open_server(home, Address.from_env(), WRITE_TIMEOUT), Names(home.project)
    client = redis_server.ensure(home)
    prefix = entity_key.prefix(home.project, "live_user")
    process = start_reader(root, until_idle=False)
    assert process.stdout is not None
    while "state of" not in process.stdout.readline():
        pass
    pending: dict[bytes, float] = {}
    times: list[tuple[float, float]] = []
    done = threading.Event()

    def poll() -> None:
        while not done.is_set() or pending:
            keys = list(pending)
            if keys:
                rows = client.mget(keys)
                now = time.perf_counter()
                for key, value in zip(keys, rows, strict=True):
                    if value is not None:
                        times.append((now, now - pending.pop(key)))
            time.sleep(LOOK_SECONDS)

    poller = threading.Thread(target=poll)
    poller.start()
    events = make_events(rate * (seconds + WARM_SECONDS), seed=2)
    begin = time.perf_counter()
    sender_late_s = 0.0
    for number in range(0, len(events), 100):
        due = begin + number / rate
        pause = due - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        sender_late_s = max(sender_late_s, -pause)
        end = end_of(time.time_ns() // 1000)
        batch = [("plays", event + end) for event in events[number : number + 99]]
        probe = b'{"user_id":"probe%d","track_id":"t000001","artist_id":"a000001","event_timestamp":"' % number
        pending[prefix + b"probe%d}" % number] = time.perf_counter()
        append(server, names, [*batch, ("plays", probe + end)])
    elapsed_s = time.perf_counter() - begin
    done.set()
    poller.join(timeout=30)
    process.send_signal(signal.SIGTERM)
    report = json.loads(process.communicate()[0].strip().splitlines()[-1])
    latencies_ms = np.array([passed for seen, passed in times if seen - passed > begin + WARM_SECONDS]) * 1000
    return {
        "rate": round(len(events) / elapsed_s),
        "sender_late_ms": round(sender_late_s * 1000, 1),
        "probes": len(latencies_ms),
        "p50_ms": round(float(np.percentile(latencies_ms, 50)), 1),
        "p99_ms": round(float(np.percentile(latencies_ms, 99)), 1),
        "batches": report["batches"],
        "reader_busy": round(report["cpu"] / report["seconds"], 2),
    }


def measure(quick: bool) -> dict[str, Any]:
    """Measure all cases."""
    from feature_repo.home import Home
    from feature_repo.stores import redis_server

    figures: dict[str, Any] = {}
    runs = {
        "throughput": lambda root: throughput(root, QUICK_EVENTS if quick else EVENTS),
        "latency": lambda root: latency(root, RATE // 2, QUICK_SECONDS if quick else LATENCY_SECONDS),
        "latency at a tenth": lambda root: latency(root, RATE // 10, QUICK_SECONDS if quick else LATENCY_SECONDS),
    }
    for name, run in runs.items():
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder) / "home")
            client = redis_server.ensure(home)
            pid = int(client.info("server")["process_id"])
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(pid, {cores[-1]})
            os.sched_setaffinity(0, {cores[-1]})
            try:
                figures[name] = run(home.root)
            finally:
                os.sched_setaffinity(0, set(cores))
                redis_server.stop(home)
        print(f"{name}: {figures[name]}", file=sys.stderr, flush=True)
    speed, half_rate = figures["throughput"]["events_per_second"], figures["latency"]
    cases = [
        ("waiting events, 120 features each, one core", "events_per_second", speed, f">={RATE}", speed >= RATE),
        (f"{RATE // 2:,} events a second", "p99_ms", half_rate["p99_ms"], "<50", half_rate["p99_ms"] < 50),
        (f"{RATE // 2:,} events a second", "p50_ms", half_rate["p50_ms"], "", None),
        (f"{RATE // 10:,} events a second", "p99_ms", figures["latency at a tenth"]["p99_ms"], "", None),
    ]
    return {
        "benchmark": "stream",
        "machine": MACHINE,
        "cases": [{"case": c, "metric": m, "value": v, "goal": g, "met": met} for c, m, v, g, met in cases],
        "figures": figures,
    }


def main() -> None:
    """Run the benchmark, or its reader."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="60,000 events, 8 seconds")
    parser.add_argument("--reader", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--until-idle", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reader:
        reader(options.reader, options.until_idle)
    else:
        print(json.dumps(measure(options.quick)))


if __name__ == "__main__":
    main()
