"""Every target of the Makefile: its commands exist, and so do the models, files and markers that they name."""

import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache

import pytest

from feature_repo.home import REPOSITORY, Home
from tests.commands import check_call
from tests.repository import PACKAGES
from training.models.find import models

ARGUMENTS = ("USER=u000042", "SOURCE=movielens", "DATA=data.zip")
TARGETS = sorted(re.findall(r"^([a-z-]+):.*## ", (REPOSITORY / "Makefile").read_text(), re.M))


@cache
def commands(target: str) -> list[list[str]]:
    """Returns the words of every command that a target would run."""
    call = ["make", "--dry-run", "--always-make", target, *ARGUMENTS]
    output = subprocess.run(call, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    lines = output.replace("\\\n", " ").splitlines()
    return [words for line in lines for words in _calls(shlex.split(line, comments=True))]


def _calls(words: list[str]) -> Iterator[list[str]]:
    """Yields the commands of a line: what is between ``&&``, ``||``, ``|`` and ``;``."""
    call: list[str] = []
    for word in words:
        call.append(word.rstrip(";"))
        if word in ("&&", "||", "|", "{", "}") or word.endswith(";"):
            yield call
            call = []
    yield call


def modules(target: str) -> list[tuple[str, list[str]]]:
    """Returns module and arguments of every ``python -m`` of a target."""
    found = []
    for words in commands(target):
        if "-m" in words and words[0].endswith("python"):
            place = words.index("-m") + 1
            found.append((words[place], words[place + 1 :]))
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_its_commands_exist(target: str) -> None:
    for module, words in modules(target):
        if module in PACKAGES:
            check_call(importlib.import_module(f"{module}.__main__").app, words)
        elif module not in ("pip", "venv"):
            assert importlib.util.find_spec(module), (target, module)
    for words in commands(target):
        for word in words:
            if re.fullmatch(r"(tests|deploy|training)/\S+|\S+\.(py|lock)", word):
                assert (REPOSITORY / word).exists(), (target, word)


def test_the_models_that_targets_train_exist() -> None:
    named = {
        words[1]
        for target in TARGETS
        for module, words in modules(target)
        if module == "training" and words[0] in ("run", "promote")
    }
    known = models(Home(REPOSITORY / "data"))
    assert len(named) >= 10
    assert named <= {*known, *(model.family for model in known.values())}


def test_markers_that_targets_select_are_declared() -> None:
    declared = set(re.findall(r'^    "([a-z]+): ', (REPOSITORY / "pyproject.toml").read_text(), re.M))
    selected = {
        word
        for target in TARGETS
        for module, words in modules(target)
        if module == "pytest" and "-m" in words
        for word in re.findall(r"[a-z]+", words[words.index("-m") + 1])
    } - {"not", "and"}
    assert {"interop", "soak", "journeys", "extras"} <= selected <= declared
