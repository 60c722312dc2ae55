"""Small files with ids of people: who is restricted, and an erasure that is not finished."""

from collections.abc import Iterator
from pathlib import Path

from feature_repo.encryption.file_kind import FileKind
from feature_repo.encryption.sealed_file import is_sealed
from feature_repo.encryption.stored_files import make_plain, write_stored
from feature_repo.home import Home

SCOPE = "people"
"""Scope of their data key."""


def _files(home: Home, *, are_sealed: bool) -> Iterator[Path]:
    for path in (home.restricted, home.erasures / "open.json"):
        if path.is_file() and is_sealed(path.read_bytes()) == are_sealed:
            yield path


def _seal(home: Home) -> int:
    paths = list(_files(home, are_sealed=False))
    for path in paths:
        write_stored(path, path.read_bytes(), home, SCOPE, is_secret=True)
    return len(paths)


def _open(home: Home) -> int:
    paths = list(_files(home, are_sealed=True))
    for path in paths:
        make_plain(path, home)
    return len(paths)


KIND = FileKind("people", _seal, _open)
