"""Files to which lines are appended, whole or not at all."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.home import Home
from feature_repo.whole_files import append_at_once

if TYPE_CHECKING:
    from feature_repo.encryption.sealed_log import SealedLogs


def append_line(path: Path, line: bytes) -> None:
    """Append a line, or several, to a file in one write; of what does not fit on the disk nothing is left.

    Raises:
        OSError: the disk is full, or the file cannot be written.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        append_at_once(handle, line + b"\n", path)
    finally:
        os.close(handle)


def sealed_logs(home: Home) -> "SealedLogs | None":
    """Returns what seals the logs of a data folder; None where encryption is off, without importing its library."""
    keys = EncryptionKeys.of(home)
    if keys is None:
        return None
    from feature_repo.encryption.sealed_log import SealedLogs

    return SealedLogs(home, keys)
