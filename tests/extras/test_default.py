"""The default install: every help, the embedded Redis, and a clear error for each command that needs an extra."""

import json

import pytest

from feature_repo.extras import MODULES
from tests.environments import Environment
from tests.extras.conftest import Make

pytestmark = pytest.mark.extras

WALK = """
import json
import typer
from refrain.cli import app

def walk(command, *names):
    if hasattr(command, "commands"):
        for name, part in command.commands.items():
            yield from walk(part, *names, name)
    else:
        yield [*names]

print(json.dumps(list(walk(typer.main.get_command(app)))))
"""

ARGUMENTS = {
    ("import",): ("movielens", "."),
    ("feast",): ("entities", "list"),
    ("forget",): ("user_id", "u1"),
    ("text",): ("a song",),
    ("analyze",): ("sound.wav",),
    ("model", "run"): ("recommendation",),
    ("model", "promote"): ("recommendation",),
    ("model", "compare"): ("recommendation",),
    ("model", "audit"): ("recommendation_v1",),
}
"""Command that needs an extra → its arguments."""
WITHOUT_ARGUMENTS = [
    ("simulate",),
    ("simulate-telemetry",),
    ("simulate-sound",),
    ("build",),
    ("stream",),
    ("apply",),
    ("lint",),
    ("materialize",),
    ("doctor",),
    ("serve",),
    ("monitor", "report"),
    ("model", "list"),
    ("model", "forecast"),
    ("model", "lifecycle"),
]


@pytest.fixture(scope="module")
def environment(make: Make) -> Environment:
    default = make("")
    (default.work / "sound.wav").write_bytes(b"RIFF")
    return default


def test_every_help(environment: Environment) -> None:
    assert "Order of work" in environment.refrain("--help").stdout
    commands = json.loads(environment.run("python", "-c", WALK).stdout)
    assert len(commands) > 40
    for package in ("feature_repo", "transforms", "training", "inference", "refrain"):
        environment.run("python", "-m", package, "--help")
    shown = environment.run("python", "-c", _show_help(commands)).stdout
    assert shown.count("Usage: ") == len(commands)


def _show_help(commands: list[list[str]]) -> str:
    return f"""
from refrain.cli import app
for words in {commands!r}:
    app([*words, "--help"], prog_name="refrain", standalone_mode=False)
"""


def test_the_embedded_redis(environment: Environment) -> None:
    started = environment.refrain("redis", "start").stdout
    assert str(environment.home / "redis") in started  # the user's data folder, not site-packages
    assert "runs" in environment.refrain("redis", "status").stdout
    assert "stopped" in environment.refrain("redis", "stop").stdout


@pytest.mark.parametrize(
    "words", [*WITHOUT_ARGUMENTS, *((*names, *arguments) for names, arguments in ARGUMENTS.items())], ids=" ".join
)
def test_a_command_that_needs_an_extra_names_it(environment: Environment, words: tuple[str, ...]) -> None:
    errors = environment.refrain(*words, code=1).stderr.splitlines()
    assert [line.split()[0] for line in errors] == ["Expected", "Found", "Next"], errors
    command, extras = errors[-1].removeprefix("Next").strip().removesuffix("]'").split("[")
    assert command == "python -m pip install 'refrain"
    assert set(extras.split(",")) <= set(MODULES)


def test_the_sdk_names_the_extra(environment: Environment) -> None:
    script = """
import refrain
from refrain import Count, EventSource, Home, WindowedTable
print(refrain.__version__)
try:
    refrain.training_set
except ImportError as error:
    print(error)
"""
    version, error = environment.run("python", "-c", script).stdout.splitlines()
    assert version == "0.1.0"
    assert error.endswith("python -m pip install 'refrain[training]'")
