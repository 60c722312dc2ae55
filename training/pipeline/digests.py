"""Stage keys: digests of content and code. The same content and code give the same key, whenever they were written."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path

from feature_repo.days import files_in
from feature_repo.encryption import parquet_files
from feature_repo.home import REPOSITORY, Home
from feature_repo.manifest import load_sources
from feature_repo.project import FILE, Project
from feature_repo.stores.source_files import digest_of
from feature_repo.whole_files import write_whole
from transforms import parquet
from transforms.raw.read import files, scan

CODE = ("feature_repo", "transforms", "training")


class Digests:
    """Digests of files of a data folder. Those of unchanged files are cached by size and time.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path = home.pipeline / "digests.json"
        self._sources = load_sources(home) if home.manifest.is_file() else {}
        self._cache: dict[str, tuple[int, int, str]] = {}
        try:
            cached = json.loads(self._path.read_text())
            self._cache = {
                name: (int(size), int(modified_ns), str(file_digest))
                for name, (size, modified_ns, file_digest) in cached.items()
            }
        except (OSError, ValueError, TypeError, AttributeError):  # the cache only saves time
            self._cache = {}

    def raw(self, table: str) -> str:
        """Digest of one raw table."""
        return self._folder(self._home.raw(table))

    def view(self, view: str) -> str:
        """Digest of the files behind one feature view; never the same twice if these are not on this machine."""
        if view not in self._sources:
            return self._folder(self._home.features(view))
        path = self._sources[view]
        return uuid.uuid4().hex if path is None else digest_of(path, self._file)

    def sources(self) -> dict[str, str]:
        """Digests of the files behind all plain views, by view."""
        return {view: self.view(view) for view in sorted(self._sources)}

    def files(self, paths: Iterable[Path]) -> str:
        """Digest of some files, by name and content."""
        total = hashlib.sha256()
        for path in sorted(paths):
            total.update(f"{path.name} {self._file(path)}\n".encode())
        return total.hexdigest()

    def save(self) -> None:
        """Saves the cache for the next run."""
        write_whole(self._path, json.dumps(self._cache))

    def _folder(self, folder: Path) -> str:
        total = hashlib.sha256()
        for path in (file for file in files_in(folder) if file.name == parquet.PART):
            total.update(f"{path.relative_to(folder)} {self._file(path)}\n".encode())
        return total.hexdigest()

    def _file(self, path: Path) -> str:
        stat = path.stat()
        entry = self._cache.get(str(path))
        if entry is None or entry[:2] != (stat.st_size, stat.st_mtime_ns):
            entry = (stat.st_size, stat.st_mtime_ns, parquet.digest(path))
            self._cache[str(path)] = entry
        return entry[2]


@cache
def code(packages: tuple[str, ...] = CODE) -> str:
    """Digest of the code of some packages, on which a model also depends."""
    total = hashlib.sha256()
    for package in packages:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            total.update(f"{path.relative_to(REPOSITORY)}\n".encode() + path.read_bytes())
    return total.hexdigest()


def project_code(home: Home) -> str:
    """Digest of the code of a project: its file, and the modules of its packages; empty without a project."""
    project = Project.load(home.project_folder)
    if project.folder is None:
        return ""
    total = hashlib.sha256((project.folder / FILE).read_bytes())
    for package in sorted({*project.definitions, *project.models}):
        place = project.folder.joinpath(*package.split("."))
        for path in sorted([*place.rglob("*.py"), *(file for file in [place.with_suffix(".py")] if file.is_file())]):
            total.update(f"{path.relative_to(project.folder)}\n".encode() + path.read_bytes())
    return total.hexdigest()


def key(**parts: object) -> str:
    """Digest of named parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def rows(home: Home, table: str) -> int:
    """Number of rows of a raw table, from the metadata of its files."""

    return sum(parquet_files.metadata(path).num_rows for path in files(home, table))


def newest_event(home: Home, tables: Iterable[str]) -> datetime | None:
    """Time of the newest event of some raw tables; None if they are empty."""
    times = [scan(home, table).select("event_timestamp").max().collect().item() for table in tables]
    return max((time for time in times if time is not None), default=None)
