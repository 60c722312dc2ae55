"""Temporary folders named after their process, so that folders of killed processes can be removed later."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = re.compile(r"refrain-(\d+)-")
_swept: set[Path] = set()


def make_folder(parent: str | Path | None = None) -> Path:
    """Creates a temporary folder of this process, and removes folders of dead processes in the same parent.

    Args:
        parent: parent folder; the system's temporary folder if None.
    """
    place = Path(parent or tempfile.gettempdir())
    if place not in _swept:
        _swept.add(place)
        sweep(place)
    return Path(tempfile.mkdtemp(prefix=f"refrain-{os.getpid()}-", dir=place))


@contextmanager
def temporary_folder(parent: str | Path | None = None) -> Iterator[Path]:
    """Creates a temporary folder that is removed at the end of the context."""
    folder = make_folder(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path) -> None:
    """Removes folders of this user's dead processes in a parent folder."""
    with os.scandir(place) as entries:
        for entry in entries:
            owner = _NAME.match(entry.name)
            if owner and not is_alive(int(owner[1])) and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                shutil.rmtree(entry.path, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists, of any user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
