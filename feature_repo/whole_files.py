"""Small files that are written whole: a reader sees the content of before or that of after, whenever a writer dies."""

import errno
import os
import threading
from pathlib import Path


def write_whole(path: Path, content: str | bytes, *, is_secret: bool = False) -> None:
    """Writes a file that gets its name when it is complete; makes its folder.

    Args:
        path: the file; an existing one is replaced.
        content: text, written as UTF-8, or bytes.
        is_secret: whether only the owner may read it; its content is on the disk when this returns.
    """
    folder, name = os.path.split(path)
    folder = folder or "."
    partial = f"{folder}/.partial-{os.getpid()}-{threading.get_ident()}-{name}"
    data = content.encode() if isinstance(content, str) else content
    try:
        try:
            _write(partial, data, is_secret)
        except FileNotFoundError:
            _make_folder(folder)
            _write(partial, data, is_secret)
        os.replace(partial, path)  # noqa: PTH105 - a Path for each of thousands of files takes longer than the call
    except BaseException as error:
        Path(partial).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # a write that fails does not know its file
        raise


def append_at_once(handle: int, content: bytes, path: Path) -> None:
    """Appends to a file in one write; of what does not fit on the disk nothing is left.

    Args:
        handle: the file, opened with ``O_APPEND``; nobody else appends to it meanwhile.
        content: what is appended.
        path: the file, for the error.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    length = os.fstat(handle).st_size
    if os.write(handle, content) < len(content):
        os.ftruncate(handle, length)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _make_folder(folder: str) -> None:
    try:
        os.mkdir(folder)  # noqa: PTH102 - of thousands of days, only the folder of the day is missing
    except (FileNotFoundError, FileExistsError):
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103


def _write(path: str, data: bytes, is_secret: bool) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if is_secret else 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        if is_secret:
            os.fsync(handle)
    finally:
        os.close(handle)
