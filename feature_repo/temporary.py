"""Temporary folders that say whose they are, so that those of killed processes can be removed by the next one."""

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
    """A new folder of this process, beside which those of processes that are no more are removed.

    Args:
        parent: where it is made; the system's folder for temporary files if None.
    """
    place = Path(parent or tempfile.gettempdir())
    if place not in _swept:
        _swept.add(place)
        sweep(place)
    return Path(tempfile.mkdtemp(prefix=f"refrain-{os.getpid()}-", dir=place))


@contextmanager
def temporary_folder(parent: str | Path | None = None) -> Iterator[Path]:
    """The same, removed at the end."""
    folder = make_folder(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(place: Path) -> None:
    """Remove the folders in a place that this user's processes left when they were killed."""
    with os.scandir(place) as entries:
        for entry in entries:
            owner = _NAME.match(entry.name)
            if owner and not is_alive(int(owner[1])) and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                shutil.rmtree(entry.path, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
