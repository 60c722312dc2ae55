"""Shared parts of all command lines: help, error messages and progress."""

import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import typer
from typer.core import TyperGroup

from feature_repo.errors import RefrainError
from feature_repo.extras import explained
from feature_repo.home import settle_paths
from feature_repo.output.plain import one_line, shorten, visible
from feature_repo.project import settle_project

_DISK_ERRORS = {
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "a read-only disk",
    errno.ENOSPC: "a full disk",
}


class _Group(TyperGroup):
    """A command group that prints a ``RefrainError`` as three lines instead of a traceback.

    Its help shows the summary of every command whole, and commands in sections where they name one.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the section or sections of the commands."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            section = getattr(command, "rich_help_panel", None)
            section = section if isinstance(section, str) else "Commands"
            sections.setdefault(section, []).append((name, command.get_short_help_str(limit=1_000)))
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        try:
            _end_with_parent()
            settle_paths()
            settle_project()
            with _handle_sigterm(), explained():
                return super().invoke(ctx)
        except RefrainError as error:
            show_error(error.expected, error.found, error.next_command)
        except OSError as error:
            if error.errno not in _DISK_ERRORS:
                raise
            problem = f"{_DISK_ERRORS[error.errno]} at {error.filename}"
            show_error(
                "a disk that can be written",
                problem,
                "export REFRAIN_HOME=/a/folder/with/room, then repeat the command",
            )
        raise typer.Exit(1)


PARENT = "REFRAIN_PARENT"
"""Environment variable with the id of the parent process. The command ends together with that process."""


def _end_with_parent() -> None:
    parent = os.environ.pop(PARENT, "")  # not inherited by child processes
    if parent.isdigit():
        threading.Thread(target=_exit_after, args=(int(parent),), daemon=True, name="parent").start()


def _exit_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(TERMINATED)


TERMINATED = 128 + signal.SIGTERM
"""Exit code of a command that was terminated by SIGTERM."""


@contextmanager
def _handle_sigterm() -> Iterator[None]:
    """Handles SIGTERM like an exception, so that temporary folders are removed and worker processes end."""
    is_default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not is_default or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> None:
    raise SystemExit(TERMINATED)


LONGEST, LONGEST_NOTE = 4_000, 200
"""Characters of a line of an error, and of a note beside progress."""


def show_error(expected: str, found: str, next_command: str) -> None:
    """Prints an error as three lines: what was expected, what was found, what to do next."""
    typer.secho(f"Expected  {visible(shorten(expected, LONGEST))}", err=True)
    typer.secho(f"Found     {visible(shorten(found, LONGEST))}", err=True, fg="red")
    typer.secho(f"Next      {visible(shorten(next_command, LONGEST))}", err=True, bold=True)


def command_line(help_text: str) -> typer.Typer:
    """Creates an empty command line with the common help and error messages."""
    return typer.Typer(
        cls=_Group,
        help=help_text,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def say(text: str) -> None:
    """Prints one line of output and flushes it; characters that a terminal would run are visible."""
    typer.echo(visible(text))
    sys.stdout.flush()


class Progress(Protocol):
    """Callback that receives the progress of long work."""

    def __call__(self, done: float, total: float, note: str = "") -> None:
        """Reports ``done`` of ``total`` units of work."""


def silent(done: float, total: float, note: str = "") -> None:
    """A progress callback that does nothing."""


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """Shows progress: a bar on a terminal, log lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    console = Console(stderr=True)
    if not console.is_terminal:
        with progress_lines(label) as report:
            yield report
        return
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None, note="")

        def report(done: float, total: float, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=one_line(note, LONGEST_NOTE))

        yield report


FIRST_LINE_SECONDS = 10.0
"""Seconds until the first progress line of a run without a terminal; later lines become rarer."""

_INTERVAL_GROWTH = 0.05


@contextmanager
def progress_lines(label: str) -> Iterator[Progress]:
    """Writes progress as log lines to standard error: time, progress and elapsed time.

    The first line appears after ``FIRST_LINE_SECONDS``, so that short commands print none; there are about eighty in an
    hour. Lines are written even while the work reports no progress.
    """
    started, state, ended = time.monotonic(), ["", ""], threading.Event()

    def report(done: float, total: float, note: str = "") -> None:
        state[:] = f"{min(done / total, 1.0):.0%}" if total else "", one_line(note, LONGEST_NOTE)

    def write() -> None:
        while not ended.wait(max(FIRST_LINE_SECONDS, _INTERVAL_GROWTH * (time.monotonic() - started))):
            parts = ", ".join(part for part in (*state, _duration(time.monotonic() - started)) if part)
            typer.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC  {label}: {parts}", err=True)

    writer = threading.Thread(target=write, name="progress", daemon=True)
    writer.start()
    try:
        yield report
    finally:
        ended.set()
        writer.join()


def _duration(seconds: float) -> str:
    minutes, remainder = divmod(int(seconds), 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min {remainder} s"
        if minutes
        else f"{remainder} s"
    )
