"""``refrain upgrade``: brings the data folder to the layout of this Refrain."""

from typing import Annotated

import typer

from feature_repo import layout
from feature_repo.command_line import progress, say
from feature_repo.home import Home
from feature_repo.version import version
from refrain.commands.command import Command


def upgrade(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would be done, and change nothing")] = False,
) -> None:
    """Bring the data folder, of all tenants, to the layout of this Refrain. Stop servers and streams first.

    An interrupted upgrade continues when it is run again.

    Example: refrain upgrade --dry-run
    """
    home = Home.from_env(check_layout=False)
    before, changes = layout.of(home), 0
    with progress("upgrade") as report:
        for line in layout.plan(home, report) if dry_run else layout.upgrade(home, report):
            changes += 1
            say(line)
    if not changes:
        say("nothing to change")
    if dry_run:
        say(
            f"{home.root} has layout {before}; Refrain {version()} reads layout {layout.current()}. Nothing was changed"
        )
    else:
        say(f"{home.root} has layout {layout.of(home)}, that of Refrain {version()}")


COMMAND = Command(upgrade, "Project")
