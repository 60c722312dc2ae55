"""How long the lifecycle takes: every model of every family, a second time, and what a search costs beside its fits.

The world of ``make demo`` (2,000 listeners, a million plays) with telemetry and sound; ``--home PATH`` takes a data
folder that is there, built and applied.

- **run all**: every model that has its data, trained, measured, put to the gates and registered, two at a time; then
  the same again with nothing changed. For each model, whether pulling its training set is its longest stage.
- **search**: some minutes for one model of each family that can be searched, in two processes (``skip_model`` over four
  learners); of the trials' time, the share that was not spent in fits and predictions (Optuna, SQLite, pruning).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.surroundings import CORES, MACHINE, judged
from feature_repo.home import REPOSITORY, Home

PREPARED = (
    ("transforms", "simulate"),
    ("transforms", "simulate-telemetry"),
    ("transforms", "simulate-sound"),
    ("transforms", "build"),
    ("feature_repo", "apply"),
)


def prepare(folder: Path) -> None:
    """The world of the demo, built and applied."""
    for call in PREPARED:
        command = [sys.executable, "-W", "ignore", "-m", *call]
        environment = {**os.environ, "REFRAIN_HOME": str(folder)}
        subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)


def trained(home: Home) -> list[dict[str, Any]]:
    """All models, and all again."""
    from training.models.find import named
    from training.pipeline.models import run_models

    started = time.perf_counter()
    outcomes = run_models(home, named("all"), again=True, jobs=CORES)
    first = time.perf_counter() - started
    pulls = []
    for outcome in outcomes:
        told = outcome.error.found if outcome.error else f"version {outcome.version}, {outcome.seconds:.0f} s"
        print(f"{outcome.model.name:34}{told}", flush=True)
        longest = max(outcome.stages.items(), key=lambda stage: stage[1], default=("", 0.0))
        if outcome.pull and longest[1] <= outcome.pull:
            pulls.append(outcome.model.name)
    if pulls:
        print(f"the pull is the longest stage of {', '.join(pulls)}")
    call = [sys.executable, "-W", "ignore", "-m", "training", "run", "all"]
    started = time.perf_counter()
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    subprocess.run(call, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)
    again = time.perf_counter() - started
    count = sum(outcome.version is not None for outcome in outcomes)
    return [
        {"case": "run all", "metric": f"seconds, {count} models", "value": round(first, 1), "goal": "<= 900"},
        {"case": "run all, again", "metric": "seconds, process and all", "value": round(again, 1), "goal": "<= 30"},
        {"case": "run all", "metric": "models whose pull is the longest stage", "value": len(pulls), "goal": "== 0"},
    ]


SEARCHED = (("skip_model", 1.0), ("sentiment_model", 1.0), ("user_behavior_forecaster", 1.0), ("recommendation", 4.0))
"""Model, and minutes; one of each family that can be searched."""


def searched(home: Home) -> list[dict[str, Any]]:
    """Some minutes of search for each."""
    from training.tuning.search import search

    cases: list[dict[str, Any]] = []
    for name, minutes in SEARCHED:
        found = search(home, name, minutes=minutes, jobs=CORES)
        for line in found.lines():
            print(f"{name}: {line}", flush=True)
        case = f"search of {name}, {minutes:g} min"
        share = {"metric": "share of a trial that is no fit", "value": round(found.overhead, 4), "goal": "<= 0.1"}
        cases += [
            {"case": case, "metric": "trials", "value": found.trials},
            {"case": case, "metric": "pruned", "value": found.pruned},
            {"case": case, "metric": "better on test", "value": round(found.gain.mean, 5)},
            {"case": case, **share},
        ]
    return cases


def main() -> None:
    """Run; one JSON line at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="a data folder that is built and applied")
    given = parser.parse_args().home
    with tempfile.TemporaryDirectory() as scratch:
        folder = given or Path(scratch) / "home"
        if given is None:
            prepare(folder)
        os.environ["REFRAIN_HOME"] = str(folder)
        home = Home(folder)
        cases = [*trained(home), *searched(home)]
    print(json.dumps({"benchmark": "lifecycle", "machine": MACHINE, "cases": judged(cases)}))


if __name__ == "__main__":
    main()
