"""Small files that are written whole: a reader sees the content of before or that of after, whenever a writer dies."""

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
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial-{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if is_secret else 0o666)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            if is_secret:
                stream.flush()
                os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
