"""Sources that were imported whole: while the files that hold their rows are unchanged, another import adds nothing.

An import of a source whose content is known is answered from what was noted at its end, without reading the source. The
note names the folders in which the rows are, and the sizes and times of change of the files there. A file that another
import, an erasure or a person has changed since then makes the note void, and so does another version of the code: the
source is then read again.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from stat import S_ISREG

from feature_repo.contract import contract_of
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from transforms import parquet
from transforms.raw import left_out
from transforms.raw.contracted import state_of
from transforms.raw.files.members import PassedOver
from transforms.raw.report import TableReport
from transforms.raw.table import RawTable

_FOLDER = ".sources"
_TIME_DEPENDENT = "in the future"
"""Part of reasons for which a row is refused only for a while."""

_BLOCK = 1 << 20


def content_of(path: Path, *options: str) -> str:
    """SHA-256 of the content of a file, or of all files in a folder with their names, and of options of the import.

    >>> content_of(Path(__file__)) == content_of(Path(__file__), "--user=ann")
    False
    """
    digest = hashlib.sha256(json.dumps([path.name, *options]).encode())
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        digest.update(f"\n{file.relative_to(path)} {file.stat().st_size}\n".encode())
        with file.open("rb") as handle:
            while block := handle.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


class KnownSources:
    """The notes in one data folder.

    Args:
        home: the data folder.
        tables: the raw tables by name.
    """

    def __init__(self, home: Home, tables: dict[str, RawTable]) -> None:
        self._home, self._tables = home, tables

    def noted(self, content: str) -> tuple[dict[str, TableReport], list[PassedOver]] | None:
        """The counts of an import that finds every row of a source stored, and the files that it passes over.

        None if the source is to be read.
        """
        try:
            note = json.loads(self._path(content).read_text())
            is_valid = note["code"] == self._code(note["tables"]) and note["state"] == self._state(note["folders"])
            reports = {name: TableReport(**counts) for name, counts in note["tables"].items()}
            passed_over = [PassedOver(*item) for item in note["passed_over"]]
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return (reports, passed_over) if is_valid else None

    def note(
        self,
        content: str,
        counts: dict[str, TableReport],
        passed_over: Iterable[PassedOver],
        folders: Iterable[Path],
    ) -> None:
        """Note the end of an import.

        Args:
            content: of the source.
            counts: of the rows of each table.
            passed_over: files that were not read.
            folders: folders of the tables that hold the rows, and of the quarantine.
        """
        if any(_TIME_DEPENDENT in reason for table in counts.values() for reason in table.reasons):
            return
        root = f"{self._home.root}/"
        names = sorted(str(folder).removeprefix(root) for folder in folders)
        again = {
            name: asdict(replace(table, added=0, corrected=0, days_touched=0, marked={}))
            for name, table in counts.items()
        }
        note = {
            "code": self._code(again),
            "state": self._state(names),
            "tables": again,
            "passed_over": [(item.name, item.why) for item in passed_over],
            "folders": names,
        }
        write_whole(self._path(content), json.dumps(note))

    def _path(self, content: str) -> Path:
        return self._home.root / "raw" / _FOLDER / f"{self._home.tenant}-{content[:32]}.json"

    def _state(self, folders: list[str]) -> str:
        digest = hashlib.sha256()
        for folder in folders:
            for file, stat in _files(f"{self._home.root}/{folder}"):
                digest.update(f"{file} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def _code(self, tables: Iterable[str]) -> str:
        """A digest of what decides which rows are stored: code of importers and tables, columns, contracts, limits."""
        digest, limits_of_kinds = hashlib.sha256(_source_code()), contract_of(self._home).project.plausibility
        for name in sorted(tables):
            digest.update(f"{name} {state_of(self._home, name) or ''}\n{limits_of_kinds.get(name, '')}\n".encode())
            for column_name, column in self._tables[name].schema.columns().items():
                limits = [getattr(column, limit, None) for limit in ("nullable", "min", "max", "min_length")]
                digest.update(f"{name} {column_name} {column.dtype} {limits}\n".encode())
        return digest.hexdigest()


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The files of one day, or of a table that changes slowly, or of a quarantine, and what the disk says of each."""
    if "/date=" in folder:
        for file in (f"{folder}/{parquet.PART}", f"{folder}/{left_out.FILE}"):
            try:
                stat = os.stat(file)  # noqa: PTH116 - a Path for each of thousands of files takes longer than the call
            except (FileNotFoundError, NotADirectoryError):
                continue
            if S_ISREG(stat.st_mode):
                yield file, stat
        return
    for parent, _, names in sorted(os.walk(folder)):
        files = (f"{parent}/{name}" for name in sorted(names) if not name.startswith("."))
        yield from ((file, os.stat(file)) for file in files)  # noqa: PTH116


@cache
def _source_code() -> bytes:
    folders = (Path(__file__).parent, Path(__file__).parents[1] / "data_contracts")
    rule = Path(__file__).parents[1] / "pure" / "account_hours.py"
    files = [rule, *(file for folder in folders for file in sorted(folder.rglob("*.py")))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()
