"""The command line ``refrain``, and the names of the package."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import feature_repo.__main__
import inference.__main__
import refrain
import training.__main__
import transforms.__main__
from feature_repo.extras import MissingExtra, explained
from feature_repo.home import REPOSITORY
from refrain.cli import app


def names_of(commands: typer.Typer) -> set[str]:
    functions = {command.name or command.callback.__name__ for command in commands.registered_commands}
    return functions | {str(group.name) for group in commands.registered_groups}


def test_every_command_is_under_one_roof_with_its_whole_summary() -> None:
    shown = CliRunner().invoke(app, ["--help"], terminal_width=80).stdout
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "..." not in shown.partition("Project:")[2]
    for package in (feature_repo.__main__, transforms.__main__, inference.__main__):
        assert names_of(package.app) <= names_of(app)
        assert all(f"\n  {name} " in shown for name in names_of(package.app))
    assert [line for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")] == [
        *("Options:", "Project:", "Data:", "Features:", "Answers:", "Models:")
    ]
    models = CliRunner().invoke(app, ["model", "--help"], terminal_width=80).stdout
    assert all(f"\n  {name} " in models for name in names_of(training.__main__.app))


def all_commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below a group, with its path."""
    for name, each in group.commands.items():
        if hasattr(each, "commands"):
            yield from all_commands(each, *path, name)
        else:
            yield (*path, name), each


COMMANDS = dict(all_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_whole_sentences_and_an_example_that_is_valid(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    summary, _, rest = (command.help or "").partition("\n")
    paragraphs = [" ".join(text.split()) for text in f"{summary}\n{rest}".split("\n\n")]
    assert paragraphs[0][0].isupper()
    assert paragraphs[0].endswith("."), paragraphs[0]
    program, *words = shlex.split(paragraphs[-1].removeprefix("Example: "))
    assert (program, tuple(words[: len(path)])) == ("refrain", path), paragraphs[-1]
    with command.make_context(path[-1], words[len(path) :]):
        pass  # every option and argument exists and fits
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{' '.join(path)}: {parameter.name} has no help"


def test_every_public_name_exists() -> None:
    assert {"training_set", "OnlineFeatures", "RecommendationEngine", "MLPipeline", "WindowedTable"} <= set(
        dir(refrain)
    )
    for name in refrain.__all__:
        assert getattr(refrain, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        refrain.nothing  # noqa: B018


def test_the_package_itself_imports_nothing_heavy() -> None:
    script = "import refrain, sys; print([name for name in ('feast', 'polars', 'numpy') if name in sys.modules])"
    call = [sys.executable, "-c", script]
    completed = subprocess.run(call, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "[]"


def test_the_command_line_begins_without_what_commands_need() -> None:
    names = ("feast", "polars", "numpy", "pyarrow", "redis", "feature_repo.contract")
    script = f"import refrain.cli, sys; print([name for name in {names} if name in sys.modules])"
    completed = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert completed.stdout.strip() == "[]"


def test_a_missing_extra_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)  # as if it were not installed
    with pytest.raises(MissingExtra, match=r"python -m pip install 'refrain\[transforms\]'"), explained():
        import polars  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), explained():
        import no_such_module  # noqa: F401
