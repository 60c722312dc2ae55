"""Duration of the lifecycle: training of all models, a second run without changes, and the overhead of a search.

The world of ``make demo`` (2,000 listeners, a million plays) with telemetry and sound; ``--home PATH`` takes an
existing data folder, built and applied.

- **run all**: every model that has its data is trained, measured, checked by the gates and registered, two at a time;
  then the same again with nothing changed. Counts the models whose longest stage is pulling the training set.
- **search**: some minutes for one model of each family that can be searched, in two processes (``skip_model`` over four
  learners); the share of the trials' time outside fits and predictions (Optuna, SQLite, pruning).
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
    """Create the world of the demo, built and applied."""
    for call in PREPARED:
        command = [sys.executable, "-W", "ignore", "-m", *call]
        environment = {**os.environ, "REFRAIN_HOME": str(folder)}
        subprocess.run(command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)


def trained(home: Home) -> list[dict[str, Any]]:
    """Measure training of all models, and a second run."""
    from training.models.find import select
    from training.pipeline.models import run_models

    started = time.perf_counter()
    outcomes = run_models(home, select("all"), again=True, jobs=CORES)
    first_s = time.perf_counter() - started
    pull_bound = []
    for outcome in outcomes:
        message = outcome.error.found if outcome.error else f"version {outcome.version}, {outcome.seconds:.0f} s"
        print(f"{outcome.model.name:34}{message}", flush=True)
        longest = max(outcome.stages.items(), key=lambda stage: stage[1], default=("", 0.0))
        if outcome.pull and longest[1] <= outcome.pull:
            pull_bound.append(outcome.model.name)
    if pull_bound:
        print(f"the pull is the longest stage of {', '.join(pull_bound)}")
    call = [sys.executable, "-W", "ignore", "-m", "training", "run", "all"]
    started = time.perf_counter()
    environment = {**os.environ, "REFRAIN_HOME": str(home.root)}
    subprocess.run(call, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)
    again_s = time.perf_counter() - started
    count = sum(outcome.version is not None for outcome in outcomes)
    return [
        {"case": "run all", "metric": f"seconds, {count} models", "value": round(first_s, 1), "goal": "<= 900"},
        {"case": "run all, again", "metric": "seconds, process and all", "value": round(again_s, 1), "goal": "<= 30"},
        {
            "case": "run all",
            "metric": "models whose pull is the longest stage",
            "value": len(pull_bound),
            "goal": "== 0",
        },
    ]


SEARCHED = (("skip_model", 1.0), ("sentiment_model", 1.0), ("user_behavior_forecaster", 1.0), ("recommendation", 4.0))
"""Pairs of model and minutes; one model of each family that can be searched."""


def searched(home: Home) -> list[dict[str, Any]]:
    """Measure some minutes of search for each model."""
    from training.tuning.search import search

    cases: list[dict[str, Any]] = []
    for name, minutes in SEARCHED:
        result = search(home, name, minutes=minutes, jobs=CORES)
        for line in result.lines():
            print(f"{name}: {line}", flush=True)
        case = f"search of {name}, {minutes:g} min"
        share = {"metric": "share of a trial that is no fit", "value": round(result.overhead, 4), "goal": "<= 0.1"}
        cases += [
            {"case": case, "metric": "trials", "value": result.trials},
            {"case": case, "metric": "pruned", "value": result.pruned},
            {"case": case, "metric": "better on test", "value": round(result.gain.mean, 5)},
            {"case": case, **share},
        ]
    return cases


def main() -> None:
    """Run the benchmark and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="an existing data folder, built and applied")
    existing = parser.parse_args().home
    with tempfile.TemporaryDirectory() as scratch:
        folder = existing or Path(scratch) / "home"
        if existing is None:
            prepare(folder)
        os.environ["REFRAIN_HOME"] = str(folder)
        home = Home(folder)
        cases = [*trained(home), *searched(home)]
    print(json.dumps({"benchmark": "lifecycle", "machine": MACHINE, "cases": judged(cases)}))


if __name__ == "__main__":
    main()
