"""The version of a data folder's layout: how Refrain's files lie in it, and what they hold.

The file ``version.json`` of the folder has the layout, from 1, and the Refrain that wrote last. A folder without it has
layout 1. Each migration is one file, ``feature_repo/upgrades/v<number>.py``, found by its number: it brings a folder of
the layout before to that number. The highest number is the current layout. Until that is released, it may grow: it gets
another revision, and its migration then also brings folders of its earlier revisions up to date.

``check`` runs before a folder is read or written. It costs one ``stat`` after the first time. ``refrain upgrade`` runs
``upgrade``.
"""

import fcntl
import importlib
import json
import os
import pkgutil
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

from feature_repo.errors import HomeError
from feature_repo.version import UNKNOWN, version
from feature_repo.whole_files import write_whole

FILE, LOCK = "version.json", ".upgrade.lock"
"""Names in a data folder: the file with its layout, and the lock of its upgrade."""

FIRST = 1
"""Layout of folders without the file."""

REVISIONS = {2: 2}
"""Layout → its newest revision, for those that grew before their release; the others have revision 1."""

UPGRADING = "REFRAIN_UPGRADING"
"""Environment variable with the data folder that an upgrade works on: its own commands use the folder meanwhile."""

_MIGRATIONS = "feature_repo.upgrades"


class DataFolder(Protocol):
    """What is needed of a ``Home`` here, which imports this module."""

    @property
    def root(self) -> Path:
        """The data folder."""


class Progress(Protocol):
    """Callback that receives the progress of a migration, like that of ``feature_repo.command_line``."""

    def __call__(self, done: float, total: float, note: str = "") -> None:
        """Reports ``done`` of ``total`` units of work."""


class Migration(Protocol):
    """A module ``feature_repo/upgrades/v<number>.py``.

    Its functions take the ``Home`` of any tenant and work on the folders of all tenants. ``upgrade`` may be killed at
    any moment and run again: what is done already is left as it is.
    """

    ABOUT: str
    """What changed with this layout, in one sentence."""
    IS_QUICK: bool
    """Whether any command may run it by itself: it takes less than a second and cannot fail half-way."""

    def is_needed(self, home: Any) -> bool:
        """Whether the folder has anything to change. Must be quick and may not import Feast."""

    def plan(self, home: Any, progress: Progress) -> list[str]:
        """Returns what ``upgrade`` would do, a line for each change. Changes nothing in the folder."""

    def upgrade(self, home: Any, progress: Progress) -> list[str]:
        """Changes the folder. Returns what was done, and what is left to a person, a line each."""


@dataclass(frozen=True)
class Stamp:
    """The content of ``version.json``.

    Attributes:
        layout: layout of the folder.
        refrain: version of the Refrain that wrote last.
        revision: revision of the layout.
    """

    layout: int
    refrain: str
    revision: int = 1

    @property
    def is_current(self) -> bool:
        """Whether no migration is pending."""
        return self.layout == current() and self.revision >= REVISIONS.get(self.layout, 1)

    def __str__(self) -> str:
        revision = f", revision {self.revision}" if self.layout in REVISIONS else ""
        return f"layout {self.layout}{revision}"


@cache
def migrations() -> dict[int, str]:
    """Returns the modules of all migrations by the layout to which they lead, in order."""
    package = importlib.import_module(_MIGRATIONS)
    numbers = {
        int(match[1]): module.name
        for module in pkgutil.iter_modules(package.__path__)
        if (match := re.fullmatch(r"v(\d+)", module.name))
    }
    return {number: f"{_MIGRATIONS}.{numbers[number]}" for number in sorted(numbers)}


def current() -> int:
    """Returns the layout that this Refrain reads and writes."""
    return max(migrations(), default=FIRST)


def pending(stamp: Stamp) -> list[tuple[int, Migration]]:
    """Imports the migrations that a folder has not had, with the layouts to which they lead."""
    return [
        (number, cast(Migration, importlib.import_module(module)))
        for number, module in migrations().items()
        if number > stamp.layout or (number == stamp.layout and stamp.revision < REVISIONS.get(number, 1))
    ]


def read(root: Path) -> Stamp | None:
    """Reads the layout of a data folder; None if it has no ``version.json``.

    Raises:
        HomeError: the file is damaged or cannot be read.
    """
    file = root / FILE
    try:
        document = json.loads(file.read_bytes())
        return Stamp(int(document["layout"]), str(document["refrain"]), int(document.get("revision", 1)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeError(
            expected=f"the layout of the data folder in {file}",
            found=f"{type(error).__name__}: {error}",
            next_command=f"restore the file from a backup; or: rm '{file}' && refrain upgrade",
        ) from error


def write(root: Path, layout: int) -> None:
    """Writes a layout in its newest revision and this version of Refrain, atomically."""
    document = {"layout": layout, "revision": REVISIONS.get(layout, 1), "refrain": version()}
    write_whole(root / FILE, json.dumps(document) + "\n")


def is_new(root: Path) -> bool:
    """Whether a data folder does not exist or is empty but for hidden files."""
    try:
        return all(path.name.startswith(".") for path in root.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return True


_checked: dict[Path, int | None] = {}
"""Data folder → the time at which its ``version.json`` was changed when it was checked; None without the file."""


def check(home: DataFolder) -> None:
    """Checks that a data folder has the current layout. Runs migrations that are needed and quick.

    Raises:
        HomeError: the folder is of a newer Refrain, or has to be upgraded first.
    """
    root = home.root
    changed = _changed(root)
    if os.environ.get(UPGRADING) == str(root) or (root in _checked and _checked[root] == changed):
        return
    if changed is None and is_new(root):
        return
    stamp = _stamp_of(home)
    if not stamp.is_current:
        if any(migration.is_needed(home) and not migration.IS_QUICK for _, migration in pending(stamp)):
            raise HomeError(
                expected=f"a data folder of {_newest()}, which Refrain {version()} reads",
                found=f"{root}: {_described(root)}",
                next_command="refrain upgrade  (refrain upgrade --dry-run shows what it does)",
            )
        _run_quick_ones(home)
    _checked[root] = _changed(root)


def stamp(home: DataFolder) -> None:
    """Writes ``version.json`` into a new folder, or this version of Refrain into one that another version wrote.

    Call it after ``check``, before anything else is written.
    """
    root = home.root
    if os.environ.get(UPGRADING) == str(root):
        return
    content = read(root)
    if content is None or content.refrain != version():
        write(root, current())
        _checked[root] = _changed(root)


def upgrade(home: DataFolder, progress: Progress) -> Iterator[str]:
    """Runs all migrations that a data folder needs; yields what was done.

    Another process that upgrades the folder is waited for. The layout is written after each migration, so that an
    upgrade that was killed goes on with the migration in which it was.

    Args:
        home: the data folder.
        progress: callback for the progress of a migration.

    Raises:
        HomeError: the folder is of a newer Refrain.
    """
    root = home.root
    if is_new(root):
        return
    with _locked(root), _upgrading(root):
        for number, migration in pending(_stamp_of(home)):
            if migration.is_needed(home):
                yield f"layout {number}: {migration.ABOUT}"
                yield from migration.upgrade(home, progress)
            write(root, number)


def plan(home: DataFolder, progress: Progress) -> Iterator[str]:
    """Yields what ``upgrade`` would do. Changes nothing.

    Args:
        home: the data folder.
        progress: callback for the progress of a plan.

    Raises:
        HomeError: the folder is of a newer Refrain.
    """
    root = home.root
    if is_new(root):
        return
    for number, migration in pending(_stamp_of(home)):
        if migration.is_needed(home):
            yield f"layout {number}: {migration.ABOUT}"
            yield from migration.plan(home, progress)


def _run_quick_ones(home: DataFolder) -> None:
    """Runs quick migrations, and writes the current layout.

    A folder that cannot be written is left as it is if no migration is needed: it can be read as it is.

    Raises:
        HomeError: a migration is needed, and the folder cannot be written.
    """
    root = home.root
    try:
        with _locked(root):
            for number, migration in pending(_stamp_of(home)):
                if migration.is_needed(home):
                    migration.upgrade(home, _silent)
                write(root, number)
    except OSError as error:
        if any(migration.is_needed(home) for _, migration in pending(_stamp_of(home))):
            raise HomeError(
                expected=f"a data folder of {_newest()}, or one that can be written",
                found=f"{root}: {_described(root)}; {error.strerror or error}",
                next_command="refrain upgrade  (as a user who may write there)",
            ) from error


def of(home: DataFolder) -> int:
    """Returns the layout of a data folder; a new one has the current layout.

    Raises:
        HomeError: it is newer than the current one.
    """
    return _stamp_of(home).layout


def _stamp_of(home: DataFolder) -> Stamp:
    root = home.root
    content = read(root) or (_newest() if is_new(root) else Stamp(FIRST, UNKNOWN))
    if content.layout > current():
        raise HomeError(
            expected=f"a data folder of {_newest()} at most, which Refrain {version()} reads",
            found=f"{root}: {_described(root)}",
            next_command=f"python -m pip install --upgrade 'refrain>={content.refrain}'",
        )
    return content


def _newest() -> Stamp:
    """Returns what this Refrain writes."""
    return Stamp(current(), version(), REVISIONS.get(current(), 1))


def _described(root: Path) -> str:
    content = read(root)
    return f"layout {FIRST}" if content is None else f"{content}, written by Refrain {content.refrain}"


def _changed(root: Path) -> int | None:
    try:
        return (root / FILE).stat().st_mtime_ns
    except OSError:
        return None


def _silent(done: float, total: float, note: str = "") -> None:
    """Reports nothing."""


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    with (root / LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _upgrading(root: Path) -> Iterator[None]:
    """Lets this process and its commands use the folder while it is upgraded."""
    os.environ[UPGRADING] = str(root)
    try:
        yield
    finally:
        os.environ.pop(UPGRADING, None)
