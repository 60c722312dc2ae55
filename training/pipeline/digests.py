"""What a stage reads, as one key: the same content and the same code give the same key, whenever they were written."""

import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from feature_repo.days import files_in
from feature_repo.home import REPOSITORY, Home
from feature_repo.manifest import load_sources
from feature_repo.stores.source_files import digest_of
from transforms import parquet
from transforms.raw.read import files, scan

CODE = ("feature_repo", "transforms", "training")


class Digests:
    """Of files of a data folder. Those of files that have not changed since are kept, by size and time.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path = home.pipeline / "digests.json"
        self._sources = load_sources(home) if home.manifest.is_file() else {}
        self._known: dict[str, tuple[int, int, str]] = {}
        try:
            known = json.loads(self._path.read_text())
            self._known = {name: (int(size), int(at), str(told)) for name, (size, at, told) in known.items()}
        except (OSError, ValueError, TypeError, AttributeError):  # it saves time alone
            self._known = {}

    def raw(self, table: str) -> str:
        """Of one raw table."""
        return self._folder(self._home.raw(table))

    def view(self, view: str) -> str:
        """Of the files behind one feature view; never the same twice where these are not on this machine."""
        if view not in self._sources:
            return self._folder(self._home.features(view))
        path = self._sources[view]
        return uuid.uuid4().hex if path is None else digest_of(path, self._file)

    def files(self, paths: Iterable[Path]) -> str:
        """Of some files, by name and content."""
        total = hashlib.sha256()
        for path in sorted(paths):
            total.update(f"{path.name} {self._file(path)}\n".encode())
        return total.hexdigest()

    def save(self) -> None:
        """Keep what was found for the next run."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(f".{os.getpid()}.tmp")
        partial.write_text(json.dumps(self._known))
        partial.replace(self._path)

    def _folder(self, folder: Path) -> str:
        total = hashlib.sha256()
        for path in (file for file in files_in(folder) if file.name == parquet.PART):
            total.update(f"{path.relative_to(folder)} {self._file(path)}\n".encode())
        return total.hexdigest()

    def _file(self, path: Path) -> str:
        told = path.stat()
        known = self._known.get(str(path))
        if known is None or known[:2] != (told.st_size, told.st_mtime_ns):
            known = (told.st_size, told.st_mtime_ns, parquet.digest(path))
            self._known[str(path)] = known
        return known[2]


@cache
def code(packages: tuple[str, ...] = CODE) -> str:
    """Of the code of some packages: what a model is also made of."""
    total = hashlib.sha256()
    for package in packages:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            total.update(f"{path.relative_to(REPOSITORY)}\n".encode() + path.read_bytes())
    return total.hexdigest()


def key(**parts: Any) -> str:
    """One digest of named parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def rows(home: Home, table: str) -> int:
    """Rows of a raw table, as its files say."""
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in files(home, table))


def newest_event(home: Home, tables: Iterable[str]) -> datetime | None:
    """Time of the newest event of some raw tables; None if they are empty."""
    found = [scan(home, table).select("event_timestamp").max().collect().item() for table in tables]
    return max((time for time in found if time is not None), default=None)
