"""Runs a rival: its environment, its process, its answers."""

import ast
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.compare.contest import TRUTH
from benchmarks.compare.environments import NotInstalled, environment

FOLDER = Path(__file__).with_name("rivals")
RUN_SECONDS = 3_600


@dataclass(frozen=True)
class RivalResult:
    """What became of a rival.

    Attributes:
        name: name of the rival.
        answers: its answers; None if it failed.
        failure: why; empty if it did not.
        seconds: processor time of its process, 0 if it failed.
    """

    name: str
    answers: pl.DataFrame | None
    failure: str = ""
    seconds: float = 0.0


def rivals_of(contest: str, folder: Path = FOLDER) -> list[Path]:
    """The programs of a contest's rivals, by name; a module that they share begins with an underscore."""
    return sorted(path for path in (folder / contest).glob("*.py") if not path.name.startswith("_"))


def requirements_of(program: Path) -> tuple[str, ...]:
    """What a rival's ``REQUIREMENTS`` names; the program is not imported for it."""
    for node in ast.parse(program.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "REQUIREMENTS":
            return tuple(ast.literal_eval(node.value))
    return ()


def run_rival(program: Path, split: Path, *, cache: Path | None = None, python: Path | None = None) -> RivalResult:
    """Runs a rival on a split; whatever goes wrong is its result.

    Args:
        program: the rival.
        split: folder of the split; the rival gets a copy without the truth.
        cache: folder of the environments.
        python: an interpreter to run it with, in place of its own environment.
    """
    try:
        interpreter = python or environment(requirements_of(program), cache)
    except NotInstalled as error:
        return RivalResult(program.stem, None, f"not installed: {error}")
    with tempfile.TemporaryDirectory() as scratch:
        given, out = Path(scratch) / "split", Path(scratch) / "answers.parquet"
        shutil.copytree(split, given, ignore=shutil.ignore_patterns(TRUTH))
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "REFRAIN"))}
        call = [str(interpreter), "-W", "ignore", str(program), str(given), str(out)]
        before = _children_seconds()
        try:
            done = subprocess.run(
                call, capture_output=True, text=True, env=variables, cwd=scratch, timeout=RUN_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return RivalResult(program.stem, None, f"took more than {RUN_SECONDS:,} s")
        if done.returncode or not out.exists():
            last = (done.stderr.strip().splitlines() or ["no answers"])[-1]
            return RivalResult(program.stem, None, f"failed: {last[:300]}")
        return RivalResult(program.stem, pl.read_parquet(out), seconds=_children_seconds() - before)


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system
