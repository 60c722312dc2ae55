"""The environment of benchmarks: the machine, and the folder of public data sets."""

import operator
import os
import platform
from pathlib import Path
from typing import Any

from feature_repo.home import REPOSITORY

DATA = Path(os.environ.get("REFRAIN_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MACHINE = f"{platform.machine()}, {CORES} cores, Python {platform.python_version()}"


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
