"""The erasure of people beside a build from nothing, in processor time.

A simulated world (300,000 plays of 2,000 listeners in 60 days, or ``--plays``) is built. From a copy of it each, one,
ten and a hundred listeners with the median number of plays are erased: raw rows, records, tiles, feature tables, and
the search of every file for what is left. The alternative is what other stores leave to their users: remove the rows,
and build everything again. Nothing is online, as in the build. That the outcome is equal, byte for byte, to a world
in which these people never were is tested in ``tests/refrain/person/test_erasure.py``.

    python -m benchmarks.erasure [--plays 300000]
"""

import argparse
import json
import os
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.surroundings import MACHINE
from feature_repo import clock
from feature_repo.home import Home
from refrain.person.erasure import run
from transforms.batch.build import build
from transforms.raw.read import scan
from transforms.raw.simulate.run import simulate
from transforms.raw.simulate.world import Size

PEOPLE = (1, 10, 100)
GOAL = 0.05


def measure(world: Home, home: Home, count: int) -> dict[str, float]:
    """Erase some people from a copy of a world: processor seconds of all, and of the search in it."""
    shutil.copytree(world.root, home.root)
    os.environ["REFRAIN_HOME"] = str(home.root)
    plays = scan(home, "plays").group_by("user_id").agg(pl.len()).sort("len", "user_id").collect()["user_id"]
    middle = (len(plays) - count) // 2
    seconds: dict[str, float] = {}
    started = time.process_time()

    def report(_done: float, _total: float, step: str) -> None:
        seconds[step] = time.process_time() - started

    run.erase(home, "user_id", plays.slice(middle, count).to_list(), progress=report)
    shutil.rmtree(home.root)
    return {"erasure": seconds["done"], "search": seconds["done"] - seconds["the search for what is left"]}


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plays", type=int, default=300_000, help="plays of the world [default: 300000]")
    arguments = parser.parse_args()
    cases: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        world = Home(Path(folder) / "world")
        os.environ["REFRAIN_HOME"] = str(world.root)
        simulate(world, Size(plays=arguments.plays), seed=7)
        os.environ[clock.NOW] = clock.end_of_data(world).isoformat()
        started = time.process_time()
        build(world)
        whole = time.process_time() - started
        cases.append({"case": "build from nothing", "metric": "CPU seconds", "value": round(whole, 1)})
        for count in PEOPLE:
            seconds = measure(world, Home(Path(folder) / f"without {count}"), count)
            case, share = f"{count} of the people", seconds["erasure"] / whole
            goal = {"goal": f"<= {GOAL}", "met": share <= GOAL} if count == 1 else {}
            cases += [
                {"case": case, "metric": "CPU seconds", "value": round(seconds["erasure"], 1)},
                {"case": case, "metric": "of these the search", "value": round(seconds["search"], 1)},
                {"case": case, "metric": "share of a build", "value": round(share, 3), **goal},
            ]
    print(json.dumps({"benchmark": "erasure", "machine": MACHINE, "plays": arguments.plays, "cases": cases}))


if __name__ == "__main__":
    main()
