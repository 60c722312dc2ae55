"""What the command lines of all packages share: help, one clear message for an error, progress."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import typer
from typer.core import TyperGroup

from feature_repo.errors import RefrainError

_DISK_ERRORS = {
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "a read-only disk",
    errno.ENOSPC: "a full disk",
}


class _Group(TyperGroup):
    """Shows an error that a person can put right as three lines, not as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except RefrainError as error:
            _show(error.expected, error.found, error.next_command)
        except OSError as error:
            if error.errno not in _DISK_ERRORS:
                raise
            found = f"{_DISK_ERRORS[error.errno]} at {error.filename}"
            _show(
                "a disk that can be written",
                found,
                "export REFRAIN_HOME=/a/folder/with/room, then the same again",
            )
        raise typer.Exit(1)


def _show(expected: str, found: str, next_command: str) -> None:
    typer.secho(f"Expected  {expected}", err=True)
    typer.secho(f"Found     {found}", err=True, fg="red")
    typer.secho(f"Next      {next_command}", err=True, bold=True)


def command_line(help_text: str) -> typer.Typer:
    """An empty command line that teaches (`--help`) and reports errors the same way everywhere."""
    return typer.Typer(
        cls=_Group,
        help=help_text,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def say(text: str) -> None:
    """One line of result, at once."""
    typer.echo(text)
    sys.stdout.flush()


class Progress(Protocol):
    """Told how far a long piece of work has come."""

    def __call__(self, done: float, total: float, note: str = "") -> None:
        """``done`` of ``total``, in whatever unit the work counts."""


def silent(done: float, total: float, note: str = "") -> None:
    """The progress of a caller who does not look."""


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None, note="")

        def tell(done: float, total: float, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield tell
