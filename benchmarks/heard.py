"""The filter of heard tracks: its size online and its time, for listeners of 1 to 200,000 distinct tracks.

The rows of each listener, one a track, are pushed to the online store. Measured are the bytes that Redis keeps for a
pair of listener and track (``MEMORY USAGE``), and the time of a filter of 420 candidates, half of them heard, as an
answer needs. Every filter is compared with the truth.

    python -m benchmarks.heard [--quick]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.surroundings import MACHINE
from feature_repo.home import REPOSITORY, Home
from feature_repo.stores import redis_server

TRACKS, QUICK_TRACKS = (1, 1_000, 20_000, 200_000), (1, 1_000)
CANDIDATES, LOOKUPS = 420, 50
END = datetime(2026, 2, 1, tzinfo=UTC)


def make_home(home: Home, sizes: tuple[int, ...]) -> None:
    """Apply the definitions in an empty data folder, and push the rows of one listener of each size."""
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    arguments = [sys.executable, "-W", "ignore", "-m", "feature_repo", "apply"]
    subprocess.run(arguments, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)
    import pandas as pd
    from feast.data_source import PushMode

    from feature_repo.store import open_store

    for size in sizes:
        rows = pd.DataFrame(
            {
                "user_id": f"listener of {size}",
                "track_id": [f"t{number:07d}" for number in range(size)],
                "event_timestamp": END,
                "created_timestamp": END,
                "plays": 1,
                "idle_seconds_at": int(END.timestamp() * 1e6),
            }
        )
        open_store(home).push("user_track_history_push", rows, to=PushMode.ONLINE)


def measure(home: Home, size: int) -> dict[str, Any]:
    """Measure one listener: bytes of a pair, and milliseconds of a filter."""
    from feature_repo.manifest import load_address
    from feature_repo.packed.server import WRITE_TIMEOUT, open_server
    from inference.features import OnlineFeatures
    from inference.recommend.heard import SERVICE, Heard

    user, rng = f"listener of {size}", np.random.default_rng(0)
    tracks = [f"t{number:07d}" for number in range(2 * max(size, CANDIDATES))]
    heard = Heard(OnlineFeatures(SERVICE, home), SimpleNamespace(track_ids=tracks))  # type: ignore[arg-type]
    seconds = []
    for _ in range(LOOKUPS):
        known = rng.choice(size, min(size, CANDIDATES // 2), replace=False)
        unknown = size + rng.choice(CANDIDATES, CANDIDATES - len(known), replace=False)
        places = rng.permutation(np.concatenate([known, unknown]))
        started = time.perf_counter()
        found = heard.among(user, places, tracks[0])
        seconds.append(time.perf_counter() - started)
        assert found is not None
        assert set(found.tolist()) == set(known.tolist())
    server = open_server(home, load_address(home), WRITE_TIMEOUT)
    keys = [key for part in server.scan(f"{home.project}:user_track_history:*{user}}}".encode()) for key in part]
    assert len(keys) == size
    pair_bytes = float(np.mean([server.client.memory_usage(key) for key in keys[:1_000]]))
    return {
        "case": f"{size:,} distinct tracks",
        "bytes_per_track": pair_bytes,
        "megabytes": pair_bytes * size / 1e6,
        "filter_ms": float(np.median(seconds)) * 1e3,
    }


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small listeners alone")
    sizes = QUICK_TRACKS if parser.parse_args().quick else TRACKS
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        os.environ["REFRAIN_HOME"] = str(home.root)
        try:
            make_home(home, sizes)
            measurements = [measure(home, size) for size in sizes]
        finally:
            redis_server.stop(home)
    cases = [
        {"case": item["case"], "metric": metric, "value": round(item[metric], 3)}
        for item in measurements
        for metric in ("bytes_per_track", "megabytes", "filter_ms")
    ]
    print(json.dumps({"benchmark": "heard", "machine": MACHINE, "cases": cases}))


if __name__ == "__main__":
    main()
