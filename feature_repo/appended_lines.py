"""Files to which lines are appended, whole or not at all."""

import errno
import os
from pathlib import Path


def append_line(path: Path, line: bytes) -> None:
    """Append a line, or several, to a file in one write; of what does not fit on the disk nothing is left.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        length, content = os.fstat(handle).st_size, line + b"\n"
        if os.write(handle, content) < len(content):
            os.ftruncate(handle, length)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(handle)
