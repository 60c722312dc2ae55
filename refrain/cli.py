"""The command line ``refrain``: the commands of the four packages in sections, and those of a project."""

from typing import Annotated

import typer

import feature_repo.__main__
import inference.__main__
import refrain.commands.test
import training.__main__
import transforms.__main__
from feature_repo.command_line import command_line, say
from feature_repo.version import version
from refrain.commands.init import init
from refrain.commands.upgrade import upgrade

app = command_line(
    "Features, models and answers of a project. Order of work: init, import, build, apply, model run, model promote, "
    "materialize, serve."
)


def _add(section: str, commands: typer.Typer) -> None:
    """Adds the commands and groups of another command line, in a section of their own."""
    for command in commands.registered_commands:
        command.rich_help_panel = section
        app.registered_commands.append(command)
    for group in commands.registered_groups:
        group.rich_help_panel = section
        app.registered_groups.append(group)


app.command(rich_help_panel="Project")(init)
_add("Project", refrain.commands.test.app)
app.command(rich_help_panel="Project")(upgrade)
_add("Data", transforms.__main__.app)
_add("Features", feature_repo.__main__.app)
app.add_typer(
    training.__main__.app,
    name="model",
    help="Models: train, list, compare, promote, tune, explain, retrain.",
    rich_help_panel="Models",
)
_add("Answers", inference.__main__.app)


def _show_version(is_requested: bool) -> None:
    if is_requested:
        say(f"refrain {version()}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="show the version and exit")
    ] = False,
) -> None:
    """Has the options that stand before a command."""


def main() -> None:
    """The entry point of the installed command, and of ``python -m refrain``."""
    app(prog_name="refrain")
