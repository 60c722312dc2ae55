"""The command line ``refrain``: the commands of the four packages in sections, and those that need several of them."""

from typing import Annotated

import typer

import feature_repo.__main__
import inference.__main__
import training.__main__
import transforms.__main__
from feature_repo.command_line import command_line, say
from feature_repo.discovery import definitions
from feature_repo.version import version
from refrain.commands.command import Command, CommandGroup

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


_OWN = definitions("refrain.commands", Command).values()
_OWN_GROUPS = definitions("refrain.commands", CommandGroup).values()


def _add_own(section: str) -> None:
    """Adds the commands and groups of ``refrain.commands`` of a section."""
    for each in _OWN:
        if each.section == section:
            app.command(each.given_name or None, rich_help_panel=section)(each.function)
    for group in _OWN_GROUPS:
        if group.section == section:
            app.add_typer(_commands_of(group), name=group.name, help=group.about, rich_help_panel=section)


def _commands_of(group: CommandGroup) -> typer.Typer:
    commands = command_line(group.about)
    for function in group.functions:
        commands.command()(function)
    for inner in group.groups:
        commands.add_typer(_commands_of(inner), name=inner.name, help=inner.about)
    return commands


_add_own("Project")
_add("Data", transforms.__main__.app)
_add_own("Data")
_add("Features", feature_repo.__main__.app)
app.add_typer(
    training.__main__.app,
    name="model",
    help="Models: train, list, compare, promote, tune, explain, retrain.",
    rich_help_panel="Models",
)
_add_own("Models")
_add("Answers", inference.__main__.app)
_add_own("Answers")


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
