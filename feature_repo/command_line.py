"""What the command lines of all packages share: help, one clear message for an error, progress."""

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
from feature_repo.home import settle_paths

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
            _end_with_parent()
            settle_paths()
            with _ends_in_order():
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


PARENT = "REFRAIN_PARENT"
"""Variable with the process that started a command for itself, and without which it has no use."""


def _end_with_parent() -> None:
    parent = os.environ.pop(PARENT, "")  # not for whatever this command starts
    if parent.isdigit():
        threading.Thread(target=_end_after, args=(int(parent),), daemon=True, name="parent").start()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(TERMINATED)


TERMINATED = 128 + signal.SIGTERM
"""Exit code of a command that was ended by SIGTERM."""


@contextmanager
def _ends_in_order() -> Iterator[None]:
    """SIGTERM leaves as an error does: temporary folders are removed, processes that work for this one end."""
    first = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not first or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> None:
    raise SystemExit(TERMINATED)


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
    """A bar on a terminal; elsewhere lines of a log, by which a long run is told from a dead one."""
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
    if not console.is_terminal:
        with progress_lines(label) as tell:
            yield tell
        return
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None, note="")

        def tell(done: float, total: float, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield tell


FIRST_LINE_SECONDS = 10.0
"""After which a run without a terminal says how far it is, and again; then ever more rarely."""

_LINES_RARER = 0.05


@contextmanager
def progress_lines(label: str) -> Iterator[Progress]:
    """Progress as lines of a log, on standard error: the time, how far it is, how long it has taken.

    The first comes after ``FIRST_LINE_SECONDS``, so that short commands say nothing; there are some eighty in an hour.
    They come even while the work reports nothing.
    """
    started, state, ended = time.monotonic(), ["", ""], threading.Event()

    def tell(done: float, total: float, note: str = "") -> None:
        state[:] = f"{min(done / total, 1.0):.0%}" if total else "", note

    def write() -> None:
        while not ended.wait(max(FIRST_LINE_SECONDS, _LINES_RARER * (time.monotonic() - started))):
            parts = ", ".join(part for part in (*state, _duration(time.monotonic() - started)) if part)
            typer.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC  {label}: {parts}", err=True)

    writer = threading.Thread(target=write, name="progress", daemon=True)
    writer.start()
    try:
        yield tell
    finally:
        ended.set()
        writer.join()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min {rest} s"
        if minutes
        else f"{rest} s"
    )
