"""What the pages say can be typed, can be typed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from feature_repo.home import REPOSITORY
from tests.repository import PACKAGES, PAGES


def fenced(page: str) -> list[str]:
    """Lines of a page's shell blocks."""
    text = (REPOSITORY / page).read_text()
    return [line for block in re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.S) for line in block.splitlines()]


def help_of(*words: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", *words, "--help"]
    return subprocess.run(call, cwd=REPOSITORY, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def commands() -> set[tuple[str, ...]]:
    """Package and sub-command of every `python -m` line."""
    found = set()
    for page in PAGES:
        for line in fenced(page):
            match = re.search(r"python -m (\w+)((?: [a-z][\w-]*)?)", line)
            if match and match[1] in PACKAGES:
                found.add(tuple(" ".join(match.groups()).split()))
    return found


def test_every_command_on_a_page_exists(commands: set[tuple[str, ...]]) -> None:
    assert commands
    for words in sorted(commands):
        assert help_of(*words).returncode == 0, words


def test_every_make_target_on_a_page_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.M))
    for page in PAGES:
        for line in fenced(page):
            for target in re.findall(r"\bmake ([a-z-]+)", line):
                assert target in targets, (page, line)


@pytest.mark.parametrize("package", PACKAGES)
def test_help_teaches(package: str) -> None:
    told = help_of(package)
    assert told.returncode == 0
    assert "Commands" in told.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["transforms", "import", "vinyl", "x"], "Expected  a format, one of"),
        (["transforms", "import", "movielens", "absent"], "Found     nothing at absent"),
        (["transforms", "build"], "Next      python -m transforms simulate"),
        (["training", "run", "weather"], "Expected  a model, one of"),
        (["training", "run", "recommendation"], "Next      python -m transforms simulate"),
        (["inference", "recommend", "u1"], "Next      python -m training run recommendation"),
        (["feature_repo", "materialize"], "Next      python -m transforms build"),
        (["training", "audit", "recommendation_v1"], "Next      python -m feature_repo apply"),
        (["transforms", "send", "absent"], "Found     no file absent"),
        (["transforms", "stream", "--clock", "sun"], "Expected  --clock wall or --clock events"),
    ],
)
def test_an_empty_folder_leads_to_the_next_command(tmp_path: Path, words: list[str], told: str) -> None:
    import os

    call = [sys.executable, "-m", *words]
    environment = {**os.environ, "REFRAIN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(REPOSITORY)}
    completed = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert completed.returncode == 1
    assert told in completed.stderr
    assert "Traceback" not in completed.stderr
