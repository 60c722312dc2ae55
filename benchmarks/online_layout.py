"""Layout of packed values in Redis: one string per view and entity, or one hash per entity with a field per view.

Five views of ten float32 for 10,000 users, the same packed values in both layouts, one embedded Redis on a Unix socket.
Each lookup reads all views of 1, 100 or 500 users: strings by one MGET, hashes by one pipeline of HMGET. The hash is
measured in Redis' default encoding (values above 64 bytes make it a hash table), and in the compact encoding with a
larger ``hash-max-ziplist-value``. Memory is what Redis reports, less what it reports when empty.

    python -m benchmarks.online_layout [--quick]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.surroundings import MACHINE

VIEWS, FEATURES, USERS = 5, 10, 10_000
ROWS = (1, 100, 500)
LOOKUPS = 300


def packed_values() -> list[bytes]:
    """Encode one packed value for each user."""
    import pyarrow as pa

    from feature_repo.packed.encode import encode
    from feature_repo.packed.schema import Schema

    schema = Schema.of("v", [(f"f{place}", "Float32") for place in range(FEATURES)])
    block = np.random.default_rng(1).random((USERS, FEATURES), np.float32)
    columns = {f"f{place}": pa.array(block[:, place]) for place in range(FEATURES)}
    moments = pa.array(np.full(USERS, 1_767_225_600_000_000)).cast(pa.timestamp("us", "UTC"))
    return encode(schema, columns, moments, moments)


def measured(look_up: Callable[[int, int], Any]) -> dict[str, float]:
    """Measure milliseconds at the median, by users per lookup."""
    median_ms = {}
    for rows in ROWS:
        durations_s = []
        for turn in range(LOOKUPS):
            start = turn * 17 % (USERS - rows)
            started = time.perf_counter()
            look_up(start, rows)
            durations_s.append(time.perf_counter() - started)
        median_ms[str(rows)] = round(float(np.median(durations_s)) * 1e3, 3)
    return median_ms


def strings(client: Any, values: list[bytes]) -> Callable[[int, int], Any]:
    """Write one string for each view and user; returns the lookup function."""
    names = [[f"p:v{view}:{{u{user:06d}}}".encode() for user in range(USERS)] for view in range(VIEWS)]
    for view in range(VIEWS):
        for start in range(0, USERS, 5000):
            client.mset(dict(zip(names[view][start : start + 5000], values[start : start + 5000], strict=True)))
    return lambda start, rows: client.mget([name for view in names for name in view[start : start + rows]])


def hashes(client: Any, values: list[bytes]) -> Callable[[int, int], Any]:
    """Write one hash for each user; returns the lookup function."""
    names = [f"p:{{u{user:06d}}}".encode() for user in range(USERS)]
    fields = [f"v{view}".encode() for view in range(VIEWS)]
    pipe = client.pipeline(transaction=False)
    for name, value in zip(names, values, strict=True):
        pipe.hset(name, mapping=dict.fromkeys(fields, value))
    pipe.execute()

    def look_up(start: int, rows: int) -> Any:
        pipe = client.pipeline(transaction=False)
        for name in names[start : start + rows]:
            pipe.execute_command("HMGET", name, *fields)
        return pipe.execute()

    return look_up


def main() -> None:
    """Run the benchmark and print its line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="takes a few seconds anyway: the same")
    parser.parse_args()
    from feature_repo.home import Home
    from feature_repo.stores import redis_server

    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="refrain-bench-") as work:
        home = Home(Path(work))
        client = redis_server.ensure(home)
        try:
            values = packed_values()
            for name, layout, compact in (
                ("strings", strings, 64),
                ("hashes", hashes, 64),
                ("hashes_compact", hashes, 512),
            ):
                client.flushall()
                client.config_set("hash-max-ziplist-value", compact)
                empty_bytes = client.info("memory")["used_memory"]  # type: ignore[index]
                look_up = layout(client, values)
                used_bytes = client.info("memory")["used_memory"] - empty_bytes  # type: ignore[index]
                figures[name] = {"megabytes": round(used_bytes / 1e6, 1), "p50_ms": measured(look_up)}
        finally:
            redis_server.stop(home)
    cases = []
    for name in ("hashes", "hashes_compact"):
        for rows in ROWS:
            value = round(figures[name]["p50_ms"][str(rows)] / figures["strings"]["p50_ms"][str(rows)], 2)
            cases.append(
                {"case": f"{rows} users × {VIEWS} views", "metric": f"{name}_over_strings_p50", "value": value}
            )
        value = round(figures[name]["megabytes"] / figures["strings"]["megabytes"], 2)
        cases.append(
            {"case": f"{USERS:,} users × {VIEWS} views", "metric": f"{name}_over_strings_memory", "value": value}
        )
    print(json.dumps({"benchmark": "online_layout", "machine": MACHINE, "cases": cases, "figures": figures}))


if __name__ == "__main__":
    main()
