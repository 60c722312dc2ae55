"""Encryption at rest beside the same data folder in plain: build, point-in-time pull, lookups; in processor time.

A simulated world (30,000 plays of 600 listeners in 60 days, or ``--plays``) is imported twice, plain and encrypted.
Then, in turns, each in a process of its own: all tiles and feature tables are built from nothing; a training set of all
listeners at ten moments is pulled; online rows are looked up, which never touch Parquet. The case is the ratio of the
medians of the turns, encrypted to plain. That both give equal values and digests is tested in
``tests/refrain/encryption``.

    python -m benchmarks.encryption [--plays 30000] [--turns 2] [--quick]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.surroundings import MACHINE
from feature_repo import clock
from feature_repo.encryption.local_key import new_text
from feature_repo.encryption.settings import KEY
from feature_repo.home import REPOSITORY, Home

SERVICE = "listener_v1"
USERS = 600
LOOKUPS = 300
GOALS = {"build": 1.35, "pull": 1.25, "lookup": 1.05}


def prepare(home: Home, plays: int) -> None:
    """Imports the world, builds it and puts it online."""
    from feature_repo.materialize import materialize
    from transforms.batch.build import build
    from transforms.raw.simulate.run import simulate
    from transforms.raw.simulate.world import Size

    simulate(home, Size(users=USERS, tracks=1_500, plays=plays), seed=7)
    build(home)
    subprocess.run([sys.executable, "-W", "ignore", "-m", "feature_repo", "apply"], check=True, stdout=sys.stderr)
    materialize(home, None, say=lambda text: None)


def build_once(home: Home) -> float:
    """Processor seconds of a build from nothing; what is imported for it is there already."""
    from transforms.batch.build import build

    build(home)
    for folder in ("features", "tiles"):
        shutil.rmtree(home.root / folder)
    started = time.process_time()
    build(home)
    return time.process_time() - started


def pull(home: Home) -> float:
    """Processor seconds of a training set of all listeners at ten moments: the median of three."""
    import polars as pl

    from training.datasets import training_set

    now = clock.now()
    moments = pl.DataFrame({"event_timestamp": [now - timedelta(days=3 * number) for number in range(10)]})
    spine = pl.DataFrame({"user_id": [f"u{number:06}" for number in range(USERS)]}).join(moments, how="cross")
    seconds = []
    for _ in range(4):
        started = time.process_time()
        rows = training_set(SERVICE, spine, home=home).data.height
        seconds.append(time.process_time() - started)
        assert rows == spine.height
    return statistics.median(seconds[1:])


def lookup(home: Home) -> float:
    """Processor seconds of lookups of a hundred listeners each."""
    from inference.features.lookup import OnlineFeatures

    features = OnlineFeatures(SERVICE, home=home)
    keys = {"user_id": [f"u{number:06}" for number in range(100)]}
    features.get(keys)
    started = time.process_time()
    for _ in range(LOOKUPS):
        features.get(keys)
    return time.process_time() - started


TASKS = {"build": build_once, "pull": pull, "lookup": lookup}


def run(task: str, root: Path, environment: dict[str, str], *options: str) -> str:
    """Runs a task on a data folder in a process of its own; returns the last line that it prints."""
    call = [sys.executable, "-W", "ignore", "-m", "benchmarks.encryption", "--task", task, *options]
    environment = {**environment, "REFRAIN_HOME": str(root)}
    done = subprocess.run(call, env=environment, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plays", type=int, default=30_000, help="plays of the world [default: 30000]")
    parser.add_argument("--turns", type=int, default=2, help="turns [default: 2]")
    parser.add_argument("--quick", action="store_true", help="8,000 plays, one turn")
    parser.add_argument("--task", choices=["prepare", *TASKS], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        home = Home.from_env().ensure()
        result = prepare(home, arguments.plays) if arguments.task == "prepare" else TASKS[arguments.task](home)
        print(json.dumps(result))
        return
    plays, turns = (8_000, 1) if arguments.quick else (arguments.plays, arguments.turns)
    seconds: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "encryption.key"
        key.write_text(new_text())
        key.chmod(0o600)
        plain = {name: value for name, value in os.environ.items() if name != KEY}
        kinds = {"plain": plain, "encrypted": {**plain, KEY: f"file:{key}"}}
        for kind, environment in kinds.items():
            root = Path(folder) / kind
            run("prepare", root, environment, "--plays", str(plays))
            environment[clock.NOW] = clock.end_of_data(Home(root)).isoformat()  # type: ignore[union-attr]
        try:
            for _ in range(turns):
                for task in TASKS:
                    for kind, environment in kinds.items():
                        value = float(run(task, Path(folder) / kind, environment))
                        seconds.setdefault((task, kind), []).append(value)
        finally:
            from feature_repo.stores import redis_server

            for kind in kinds:
                redis_server.stop(Home(Path(folder) / kind))
        sizes = {kind: sum(path.stat().st_size for path in (Path(folder) / kind).rglob("*.parquet")) for kind in kinds}
    print(json.dumps({"benchmark": "encryption", "machine": MACHINE, "plays": plays, "cases": cases(seconds, sizes)}))


def cases(seconds: dict[tuple[str, str], list[float]], sizes: dict[str, int]) -> list[dict[str, Any]]:
    """The cases of the result: processor seconds of each kind, and their ratio beside its goal."""
    result: list[dict[str, Any]] = []
    for task, goal in GOALS.items():
        medians = {kind: statistics.median(seconds[task, kind]) for kind in ("plain", "encrypted")}
        result += [
            {"case": f"{task}, {kind}", "metric": "CPU seconds", "value": round(value, 3)}
            for kind, value in medians.items()
        ]
        ratio = round(medians["encrypted"] / medians["plain"], 3)
        result.append({"case": task, "metric": "ratio", "value": ratio, "goal": f"<= {goal}", "met": ratio <= goal})
    size = round(sizes["encrypted"] / sizes["plain"], 3)
    return [*result, {"case": "size of the files", "metric": "ratio", "value": size}]


if __name__ == "__main__":
    main()
