"""A key-encryption key in a file that its owner alone may read."""

import os
import stat
from pathlib import Path

from feature_repo.encryption.local_key import LocalKey
from feature_repo.encryption.provider import Provider, unusable


def open_file(place: str) -> LocalKey:
    """Reads the key of a file.

    Raises:
        EncryptionError: there is no such file, others may read it, or it holds no key.
    """
    path = Path(place)
    try:
        with path.open("rb") as handle:
            mode = stat.S_IMODE(os.fstat(handle.fileno()).st_mode)
            text = handle.read(4096).decode(errors="replace")
    except OSError as error:
        raise unusable(
            f"the key-encryption key in {path}",
            str(error.strerror or error),
            f"put the key back at {path}; if it is lost: refrain encryption recover",
        ) from error
    if mode & 0o077:
        raise unusable(f"a key file that only its owner may read at {path}", f"mode {mode:o}", f"chmod 600 {path}")
    return LocalKey.read(text, str(path))


PROVIDER = Provider("file", "file:PATH", open_file)
