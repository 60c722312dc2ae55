"""The secret key of pseudonyms: 256 random bits in the data folder, readable by their owner alone."""

import os
import secrets
from functools import lru_cache
from pathlib import Path

from feature_repo.errors import StoreError
from feature_repo.home import Home

LENGTH = 32
"""Bytes of the key."""


def make_key(home: Home) -> None:
    """Makes the key of a data folder if there is none; a new one would change all pseudonyms."""
    path = home.pseudonyms
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with open(path, "xb", opener=_opener) as file:  # a path has no opener
            file.write(secrets.token_bytes(LENGTH))
    except FileExistsError:
        return


def read_key(home: Home) -> bytes:
    """Returns the key of a data folder.

    Raises:
        StoreError: there is none, or it is damaged.
    """
    try:
        return _read(home.pseudonyms, home.pseudonyms.stat().st_mtime_ns)
    except OSError as error:
        raise _missing(home.pseudonyms, error.strerror or "") from error


@lru_cache(maxsize=16)
def _read(path: Path, changed: int) -> bytes:
    key = path.read_bytes()
    if len(key) != LENGTH:
        raise _missing(path, f"{len(key)} bytes")
    return key


def _missing(path: Path, found: str) -> StoreError:
    return StoreError(
        expected=f"the key of pseudonyms, {LENGTH} bytes in {path}",
        found=found,
        next_command="restore it from a backup; or, for new pseudonyms: remove it, then refrain apply",
    )


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
