"""Logs of serving, as JSON lines: earlier plain ones are sealed as a whole.

A log is renamed first, so that a server that writes to it begins another one, whose place is not that of a sealed log.
A server that runs since before encryption was turned on writes plain lines until it is started again.
"""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from feature_repo.encryption.file_kind import FileKind
from feature_repo.encryption.sealed_log import is_sealed_log
from feature_repo.encryption.stored_files import make_plain, write_lines
from feature_repo.encryption.stored_place import TAKEN
from feature_repo.home import Home

_FOLDERS = ("lookups", "impressions", "predictions", "exposures", "audit_log")
_LINES = ".jsonl"
_SETTLES = 0.2
"""Seconds that a writer has to finish its line after its file was renamed."""


def _files(home: Home, *, is_sealed: bool) -> Iterator[Path]:
    for name in _FOLDERS:
        for path in sorted((home.root / name / f"tenant={home.tenant}").rglob("*")):
            if path.suffix in (_LINES, TAKEN) and path.is_file() and _is_sealed(path) == is_sealed:
                yield path


def _is_sealed(path: Path) -> bool:
    with path.open("rb") as handle:
        return is_sealed_log(handle.read(8))


def _seal(home: Home) -> int:
    taken = [
        path.rename(path.with_name(f"{path.stem}-{uuid.uuid4().hex[:8]}{_LINES}"))
        for path in list(_files(home, is_sealed=False))
    ]
    if taken:
        time.sleep(_SETTLES)
    for path in taken:
        write_lines(path, path.read_bytes().splitlines(), home)
    return len(taken)


def _open(home: Home) -> int:
    paths = list(_files(home, is_sealed=True))
    for path in paths:
        make_plain(path, home)
    return len(paths)


KIND = FileKind("logs", _seal, _open)
