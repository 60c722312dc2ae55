"""Every command and make target on the pages exists, and error messages name the next command."""

import importlib
import os
import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from feature_repo.home import REPOSITORY
from tests.processes import run_python
from tests.repository import PACKAGES, PAGES


def shell_lines(page: str) -> list[str]:
    """Returns the lines of a page's shell blocks."""
    text = (REPOSITORY / page).read_text()
    return [line for block in re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.S) for line in block.splitlines()]


def show_help(package: str, *words: str) -> Result:
    """Runs a command with ``--help`` in this process."""
    module = importlib.import_module("refrain.cli" if package == "refrain" else f"{package}.__main__")
    return CliRunner().invoke(module.app, [*words, "--help"])


@pytest.fixture(scope="module")
def commands() -> set[tuple[str, ...]]:
    """The package and the sub-command of every line with `python -m` or `refrain`."""
    package_commands = set()
    for page in PAGES:
        for line in shell_lines(page):
            match = re.search(r"python -m (\w+)((?: [a-z][\w-]*)?)", line)
            if match and match[1] in PACKAGES:
                package_commands.add(tuple(" ".join(match.groups()).split()))
            match = re.match(r"(refrain(?: model)?)( [a-z][\w-]*)", line)
            if match:
                package_commands.add(tuple(" ".join(match.groups()).split()))
    return package_commands


def test_every_command_on_a_page_exists(commands: set[tuple[str, ...]]) -> None:
    assert commands
    for words in sorted(commands):
        assert show_help(*words).exit_code == 0, words


def test_every_make_target_on_a_page_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.M))
    for page in PAGES:
        for line in shell_lines(page):
            for target in re.findall(r"\bmake ([a-z-]+)", line):
                assert target in targets, (page, line)


@pytest.mark.parametrize("package", PACKAGES)
def test_help_teaches(package: str) -> None:
    completed = run_python("-m", package, "--help")
    assert completed.returncode == 0
    assert ("Commands:" if package != "refrain" else "Features:") in completed.stdout


@pytest.mark.parametrize(
    ("words", "message"),
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
def test_an_empty_folder_leads_to_the_next_command(tmp_path: Path, words: list[str], message: str) -> None:
    environment = {**os.environ, "REFRAIN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(REPOSITORY)}
    completed = run_python("-m", *words, environment=environment, folder=tmp_path)
    assert completed.returncode == 1
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr
