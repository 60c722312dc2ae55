"""The command line ``refrain``: the commands of the four packages in sections, and those of a project."""

import typer

import feature_repo.__main__
import inference.__main__
import refrain.commands.test
import training.__main__
import transforms.__main__
from feature_repo.command_line import command_line

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


_add("Project", refrain.commands.test.app)
_add("Data", transforms.__main__.app)
_add("Features", feature_repo.__main__.app)
app.add_typer(
    training.__main__.app,
    name="model",
    help="Models: train, list, compare, promote, tune, explain, retrain.",
    rich_help_panel="Models",
)
_add("Answers", inference.__main__.app)


def main() -> None:
    """The entry point of the installed command."""
    app(prog_name="refrain")
