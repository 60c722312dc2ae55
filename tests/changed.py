"""Runs the tests nearest to what has changed since the last commit, within a time: ``make test-fast``.

A test file is as near as the shortest chain of imports from it to a changed module. Nearest first, files are taken
until the seconds that they took in earlier runs are used up. Changed test files always run.
"""

import argparse
import ast
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import grimp

from feature_repo.home import REPOSITORY
from tests.repository import PACKAGES

SECONDS = REPOSITORY / ".pytest_cache" / "v" / "refrain" / "seconds"
"""Where ``conftest`` keeps the seconds of each test file."""
UNKNOWN_S = 5.0
"""Assumed of a test file that has not run yet."""


def changed_files(since: str) -> set[str]:
    """Return files that differ from a revision, new ones included."""
    commands = (["diff", "--name-only", since], ["ls-files", "--others", "--exclude-standard"])
    outputs = [
        subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
        for words in commands
    ]
    return {line for output in outputs for line in output.splitlines()}


def imported_modules(path: Path) -> set[str]:
    """Return every module, or name of a module's, that a test file imports, at the top or within functions."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


def distances(changed_modules: Iterable[str], graph: grimp.ImportGraph) -> dict[str, int]:
    """Return each module from which imports lead to a changed one, with the length of the shortest chain."""
    distance_of = {module: 0 for module in changed_modules if module in graph.modules}
    border = list(distance_of)
    while border:
        module = border.pop(0)
        for importer in graph.find_modules_that_directly_import(module):
            if importer not in distance_of:
                distance_of[importer] = distance_of[module] + 1
                border.append(importer)
    return distance_of


def nearest_tests(changed: set[str], budget_s: float) -> list[str]:
    """Return the test files to run, nearest first."""
    modules = {
        file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for file in changed
        if file.endswith(".py") and file.partition("/")[0] in PACKAGES
    }
    graph = grimp.build_graph(*PACKAGES, cache_dir=str(REPOSITORY / ".import_linter_cache")) if modules else None
    distance_of = distances(modules, graph) if graph else {}
    seconds_of = json.loads(SECONDS.read_text()) if SECONDS.is_file() else {}
    ranked = []
    for path in sorted((REPOSITORY / "tests").rglob("test_*.py")):
        file = str(path.relative_to(REPOSITORY))
        near = [distance_of[module] for module in imported_modules(path) if module in distance_of]
        if file in changed or near:
            ranked.append((-1 if file in changed else min(near), seconds_of.get(file, UNKNOWN_S), file))
    chosen, total_s = [], 0.0
    for distance, seconds, file in sorted(ranked):
        if distance < 0 or total_s + seconds <= budget_s:
            chosen.append(file)
            total_s += seconds
    return chosen


def main() -> int:
    """Choose and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--since", default="HEAD", help="revision to compare with [HEAD]")
    parser.add_argument("--seconds", type=float, default=90, help="of two workers together [90]")
    options = parser.parse_args()
    chosen = nearest_tests(changed_files(options.since), options.seconds)
    if not chosen:
        print("no test imports what has changed; all tests: make test")
        return 0
    print("\n".join(chosen))
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *chosen], cwd=REPOSITORY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
