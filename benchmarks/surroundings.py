"""What benchmarks share: the machine, the folder of public data sets, and the cases of a result."""

import json
import operator
import os
import platform
import sys
from pathlib import Path
from typing import Any

from feature_repo.errors import InputError
from feature_repo.home import REPOSITORY

TEST_DATA = "REFRAIN_TEST_DATA"
"""Environment variable with the folder of the public data sets."""
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MACHINE = f"{platform.machine()}, {CORES} cores, Python {platform.python_version()}"


def data_set(name: str, given: Path | None = None, *, root: Path | None = None) -> Path:
    """Return the folder or file of a public data set.

    Args:
        name: path of the data set in the folder of all data sets.
        given: another folder or file of this data set, as an option of the program names it.
        root: another folder of all data sets.

    Raises:
        SystemExit: there is nothing. The message says what is expected where, and what to run next.
    """
    path = given or (root or Path(os.environ.get(TEST_DATA, REPOSITORY.parent / "shared" / "data"))) / name
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        return path
    program = f"python -m benchmarks.{Path(sys.argv[0]).stem}"
    error = InputError(
        expected=f"the public data set {name} in {path}",
        found="nothing there",
        next_command=f"{TEST_DATA}=FOLDER {program}  (FOLDER holds {name})",
    )
    raise SystemExit(str(error))


def case_of_quality(name: str, metric: str, value: float, goal: float | None = None) -> dict[str, Any]:
    """Create one case of a result, and print it. The value should be at least the goal."""
    result: dict[str, Any] = {"case": name, "metric": metric, "value": round(float(value), 4)}
    if goal is not None:
        result |= {"goal": f">={goal}", "met": bool(value >= goal)}
    print(json.dumps(result), flush=True)
    return result


def judged(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add ``met`` to cases with a goal: "<= 2", ">= 1000", "== 0.19", or a number alone that must be equal."""
    operators = {"<=": operator.le, ">=": operator.ge, "==": operator.eq}
    results = []
    for case in cases:
        goal = case.get("goal")
        if goal is not None and "met" not in case:
            sign, _, number = goal.rpartition(" ")
            results.append({**case, "met": bool(operators[sign or "=="](case["value"], float(number)))})
        else:
            results.append(case)
    return results
