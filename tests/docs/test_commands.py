"""Every command and make target on the pages exists, and error messages name the next command."""

import os
import re
import shlex
from pathlib import Path

import pytest

from feature_repo.home import REPOSITORY
from refrain.cli import app
from tests.commands import check_call
from tests.processes import run_python
from tests.repository import PACKAGES, PAGES


def shell_lines(page: str) -> list[str]:
    """Returns the lines of a page's shell blocks."""
    text = (REPOSITORY / page).read_text()
    return [line for block in re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.S) for line in block.splitlines()]


def refrain_calls(page: str) -> list[list[str]]:
    """Returns the words after ``refrain`` of every command in a page's shell blocks."""
    calls, begun = [], ""
    for line in "\n".join(shell_lines(page)).replace("\\\n", " ").splitlines():
        try:
            words, begun = shlex.split(begun + line, comments=True), ""
        except ValueError:  # a quotation that goes on
            begun += line + "\n"
            continue
        while words:
            end = next((place for place, word in enumerate(words) if word in {"&&", "|", ";", "&", ">"}), len(words))
            call = [word for word in words[:end] if not re.fullmatch(r"[A-Z_]+=.*", word)]
            calls += [call[1:]] if call[:1] == ["refrain"] else []
            words = words[end + 1 :]
    assert not begun, page
    return calls


@pytest.mark.parametrize("page", PAGES)
def test_every_command_on_a_page_is_valid(page: str) -> None:
    """The command exists, and so do its options; arguments are of the right number."""
    for words in refrain_calls(page):
        try:
            check_call(app, words)
        except AssertionError as error:
            raise AssertionError(page) from error


def test_every_page_together_shows_many_commands() -> None:
    assert sum(len(refrain_calls(page)) for page in PAGES) > 60


ORDER = ("build", "apply", "model run", "model promote", "model forecast", "materialize", "serve")
"""The order of work, as docs/projects.md explains it."""


def test_pages_have_one_order_of_work() -> None:
    """In a block of a page, what comes after the last ``build`` keeps the order."""
    seen = set()
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", (REPOSITORY / page).read_text(), re.S):
            steps = re.findall(rf"\brefrain ({'|'.join(ORDER)})\b", re.sub("#.*", "", block))
            steps = steps[max((place for place, step in enumerate(steps) if step == "build"), default=0) :]
            assert steps == sorted(steps, key=ORDER.index), (page, steps)
            seen.update(steps)
    assert seen == set(ORDER)


def test_every_make_target_on_a_page_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.M))
    for page in PAGES:
        for line in shell_lines(page):
            for target in re.findall(r"\bmake ([a-z-]+)", line):
                assert target in targets, (page, line)


MENTIONS = {"refrain/__main__.py", "refrain/cli.py", "tests/docs/test_commands.py"}
"""Files that say that ``python -m`` works, too."""


def test_commands_are_shown_as_an_installed_user_calls_them() -> None:
    """Pages, messages, help and docstrings say ``refrain``, which a wheel and a checkout have alike."""
    other = re.compile(rf"python -m\s+(?:{'|'.join(PACKAGES)})\b|`{{1,2}}(?:transforms|training|inference) [a-z]+")
    folders = (*PACKAGES, "benchmarks", "deploy", "tests")
    files = {file for folder in folders for file in (REPOSITORY / folder).rglob("*.*")}
    for file in sorted({*files, *(REPOSITORY / page for page in PAGES)} - {REPOSITORY / name for name in MENTIONS}):
        if file.suffix in {".py", ".md", ".html", ".yaml", ".toml"}:
            match = other.search(file.read_text())
            assert match is None, (file, match and match[0])


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
        (["transforms", "build"], "Next      refrain simulate"),
        (["training", "run", "weather"], "Expected  a model, one of"),
        (["training", "run", "recommendation"], "Next      refrain simulate"),
        (["inference", "recommend", "u1"], "Next      refrain model run recommendation"),
        (["feature_repo", "materialize"], "Next      refrain build"),
        (["training", "audit", "recommendation_v1"], "Next      refrain apply"),
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
