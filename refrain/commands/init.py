"""``refrain init``: a project, from a table of events or with a worked example."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feature_repo.command_line import say
from feature_repo.errors import InputError
from feature_repo.project import NAME
from refrain.commands.command import Command

if TYPE_CHECKING:
    from refrain.scaffold.proposal import Proposal


def init(
    folder: Annotated[Path, typer.Argument(help="folder of the project; its name is the project's")],
    events: Annotated[
        Path | None, typer.Option(help="table of events (Parquet, CSV, JSON lines) to propose definitions for")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="column that features describe, such as customer_id; may be repeated")
    ] = None,
    time: Annotated[str, typer.Option(help="column of the time of an event")] = "event_timestamp",
    label: Annotated[str, typer.Option(help="column that a model is to predict")] = "",
    name: Annotated[str, typer.Option("--as", help="name of the events; that of the file if left out")] = "",
) -> None:
    """Make a project: a folder with definitions, and a model if there is a label.

    Without --events, it is a worked example: orders of a shop. Existing files are kept, so that the command may be
    repeated. The definitions are plain Python to be edited.

    Example: refrain init shop --events orders.csv --key customer_id --time ordered_at --label returned
    """
    from refrain.scaffold.example import FILE, example
    from refrain.scaffold.existing import check_existing
    from refrain.scaffold.files import contents, next_commands, write
    from refrain.scaffold.proposal import init_command

    project = folder.absolute().name
    if not re.fullmatch(NAME, project):
        raise InputError(
            expected="a folder whose name is of lower-case letters, digits and _, starting with a letter",
            found=repr(project),
            next_command="refrain init shop",
        )
    if events is None:
        proposal, table = example(project)
        files = {**contents(proposal), FILE: table}
    else:
        proposal = _proposal(folder, events.absolute(), key or [], time, label, name)
        files = contents(proposal)
    elsewhere = folder.absolute().with_name(f"{project}_{proposal.events}")
    check_existing(folder, proposal, init_command(elsewhere, events, key or [], time, label, name))
    for file, is_new in write(folder, files):
        say(f"{'wrote' if is_new else 'kept '} {folder / file}")
    for source, why in proposal.left_out.items():
        say(f"left out: {source}, {why}")
    say("Next:")
    for command in next_commands(proposal, folder):
        say(f"  {command}")


def _proposal(folder: Path, events: Path, keys: list[str], time: str, label: str, name: str) -> "Proposal":
    from refrain.scaffold.proposal import init_command, propose
    from refrain.scaffold.sample import sample

    if not keys:
        raise InputError(
            expected="the column that features describe",
            found="no --key",
            next_command=init_command(folder, events, ["COLUMN"], time, label, name),
        )
    kind, rows = name or events.stem, sample(events)
    return propose(folder.absolute().name, str(events), rows, events=kind, keys=keys, time=time, label=label)


COMMAND = Command(init, "Project")
