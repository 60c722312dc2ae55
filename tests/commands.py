"""Whether a command line exists: its command, its options, and as many arguments as it takes."""

from collections.abc import Sequence
from typing import Any

import typer


def check_call(app: typer.Typer, words: Sequence[str]) -> None:
    """Parses a call without running it.

    Args:
        app: the command line, such as ``refrain.cli.app``.
        words: what stands behind its name.

    Raises:
        AssertionError: there is no such command or option, or the arguments do not fit.
    """
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands"):
        if not rest or rest[0].startswith("-"):
            break
        assert rest[0] in command.commands, words
        command, rest = command.commands[rest[0]], rest[1:]
    try:
        command.make_context("refrain", rest).close()
    except typer.Exit:
        return  # --help, --version
    except Exception as error:
        raise AssertionError((words, str(error))) from error
