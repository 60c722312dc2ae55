"""Lineage of answers: from an answer to its feature rows and raw files, and from a raw file back to answers.

A simulated world as the demo has it (2,000 listeners, 5,000 tracks, 60 days, a million plays) is built and applied, and
answers of 20 tracks for random listeners are logged. Measured are the seconds of processor time of both directions in
one process, and of the whole command with its start.

Judged on: a simulated world; nothing is learned.

    python -m benchmarks.lineage [--quick] [--answers 200] [--home FOLDER]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.surroundings import MACHINE
from feature_repo import clock
from feature_repo.home import REPOSITORY, Home

SLOTS, REPEATS = 20, 5
SERVICES = ("recommendation_v1", "listener_v1", "track_rights_v1", "track_display_v1")


def make_home(home: Home, *, quick: bool, answers: int) -> None:
    """Simulate, build and apply a world, and log answers of its last days."""
    from transforms.batch.build import build
    from transforms.raw.read import scan
    from transforms.raw.simulate.run import simulate
    from transforms.raw.simulate.world import Size

    simulate(home, Size(200, 500, 20, 20_000) if quick else Size(), seed=1)
    end = clock.end_of_data(home)
    assert end is not None
    build(home, end)
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    arguments = [sys.executable, "-W", "ignore", "-m", "feature_repo", "apply"]
    subprocess.run(arguments, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)
    rng = np.random.default_rng(1)
    plays = scan(home, "plays").select("user_id", "track_id").collect()
    users, tracks = plays["user_id"].unique().sort().to_list(), plays["track_id"].unique().sort().to_list()
    for number in range(answers):
        at = end - timedelta(hours=float(rng.uniform(0, 72)))
        line = {
            "answer_id": f"answer{number}",
            "at": round(at.timestamp() * 1e6),
            "user_id": users[rng.integers(len(users))],
            "model": "recommendation:1",
            "features": dict.fromkeys(SERVICES, "-"),
            "slots": [{"track_id": tracks[place]} for place in rng.choice(len(tracks), SLOTS, replace=False)],
        }
        folder = home.impressions / f"date={at.date()}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "1.jsonl").open("a") as handle:
            handle.write(json.dumps(line) + "\n")


def seconds_of(run: Callable[[], object]) -> float:
    """Median of the seconds of processor time of some runs, of this process and its children, after a first one."""
    run()
    seconds = []
    for _ in range(REPEATS):
        before = os.times()
        run()
        seconds.append(sum(os.times()[:4]) - sum(before[:4]))
    return float(np.median(seconds))


def measure(home: Home) -> dict[str, Any]:
    """Measure both directions."""
    from refrain.lineage.compiled import lineage_of
    from refrain.lineage.logs import find_answer, newest
    from refrain.lineage.served import answers_from, trace

    lineage_of(home)  # written once
    (first, *_) = newest(home)
    day = datetime.fromtimestamp(first.at / 1e6) - timedelta(days=3)
    file = f"plays/date={day.date()}"
    traced = trace(home, lineage_of(home), find_answer(home, first.id))
    command = [sys.executable, "-W", "ignore", "-m", "refrain", "lineage"]
    environment = {**os.environ, "REFRAIN_HOME": str(home.root), "PYTHONPATH": str(REPOSITORY)}

    def in_a_process(*words: str) -> None:
        subprocess.run([*command, *words], env=environment, check=True, stdout=subprocess.DEVNULL)

    return {
        "feature_rows": traced.rows.height,
        "raw_files": traced.raw.height,
        "answers_of_file": len(answers_from(home, lineage_of(home), file)),
        "answer_s": seconds_of(lambda: trace(home, lineage_of(home), find_answer(home, first.id))),
        "file_s": seconds_of(lambda: answers_from(home, lineage_of(home), file)),
        "answer_command_s": seconds_of(lambda: in_a_process("answer", first.id)),
        "file_command_s": seconds_of(lambda: in_a_process("file", file)),
        "plays": pl.scan_parquet(home.raw("plays") / "date=*" / "*.parquet").select(pl.len()).collect().item(),
    }


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small world")
    parser.add_argument("--answers", type=int, default=200, help="number of logged answers")
    parser.add_argument("--home", help="folder for the world; one that has it already is measured again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(arguments.home or scratch) / "world")
        os.environ["REFRAIN_HOME"] = str(home.root)
        if not home.manifest.is_file():
            make_home(home, quick=arguments.quick, answers=arguments.answers)
        result = {"name": "lineage", "quick": arguments.quick, "machine": MACHINE, **measure(home)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
