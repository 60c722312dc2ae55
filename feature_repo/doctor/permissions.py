"""Checks that other users of the machine cannot read a data folder."""

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from feature_repo.doctor.finding import Finding
from feature_repo.home import Home

_READ, _ENTER = stat.S_IROTH, stat.S_IXOTH


def findings(home: Home) -> Iterator[Finding]:
    """Yields one note if any file of the folder can be read by every user; the modes of folders above it count, too.

    >>> [finding.where for finding in findings(Home(Path("/nowhere")))]
    []
    """
    is_reachable = all(parent.stat().st_mode & _ENTER for parent in home.root.parents if parent.exists())
    readable = next(_readable_files(home.root), None) if is_reachable else None
    if readable is not None:
        yield Finding(
            "data folder",
            f"every user of this machine can read it, such as {readable.relative_to(home.root)}",
            f"chmod -R o= {shlex.quote(str(home.root))}",
            is_fault=False,
        )


def _readable_files(folder: Path) -> Iterator[Path]:
    """Yields the files that every user can read, below a folder whose parents every user can enter."""
    try:
        if not folder.stat().st_mode & _ENTER:
            return
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # it is gone, or not ours
        return
    for entry in entries:
        if entry.is_symlink():
            continue
        if entry.is_dir():
            yield from _readable_files(Path(entry.path))
        elif entry.is_file() and entry.stat().st_mode & _READ:
            yield Path(entry.path)
