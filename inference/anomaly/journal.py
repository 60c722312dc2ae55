"""What the processes that share a data folder have observed, in one order, and a snapshot of what it amounts to.

A detector's memory is a function of what was observed and in which order. So processes share the order: under a lock
of the file system each one reads what the others appended, applies it to its own memory, scores, and appends what it
observed itself (state machine replication: F. B. Schneider, ACM Computing Surveys 22, 1990). A record is appended whole
or, if the process dies, not at all.

Files of one detector: ``NAME.npz`` (snapshot), ``NAME.journal`` (a header, then a JSON record a line), ``NAME.lock``.
"""

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feature_repo.whole_files import write_whole

OWNER_ONLY = 0o600
"""Permissions of the files: entities may be people and addresses."""


@dataclass(frozen=True)
class Position:
    """How far a journal was applied.

    Attributes:
        journal: identifier of the journal; a new one is made where none is found.
        offset: bytes of records since the journal began, those before the newest snapshot included.
    """

    journal: str = ""
    offset: int = 0


@dataclass(frozen=True)
class _Header:
    """The first line of a journal.

    Attributes:
        journal: identifier.
        start: offset of the first record.
        length: bytes of the line.
    """

    journal: str
    start: int
    length: int


class Journal:
    """The journal of one detector. Use it within ``hold`` only, except for ``hold`` itself.

    Args:
        path: the files, without their suffix.
    """

    def __init__(self, path: Path) -> None:
        self._snapshot_file, self._file, self._lock_file = (
            path.with_name(f"{path.name}.{suffix}") for suffix in ("npz", "journal", "lock")
        )

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep other processes, and other detectors of this one, from reading and appending.

        Raises:
            OSError: the folder cannot be written.
        """
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT, OWNER_ONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)  # releases it

    def snapshot(self) -> bytes | None:
        """Read the snapshot; None if there is none."""
        try:
            return self._snapshot_file.read_bytes()
        except FileNotFoundError:
            return None

    def records(self, position: Position | None) -> tuple[list[dict[str, Any]], Position] | None:
        """Read the records after a position; all since the snapshot with which the journal began if it is None.

        Returns:
            The records and the position after them; None if the journal does not go back to the position.

        Raises:
            OSError: the files cannot be read or written.
        """
        header = self._header()
        offset = header.start if position is None else position.offset
        end = header.start + self._file.stat().st_size - header.length
        if position is not None and (position.journal != header.journal or not header.start <= offset <= end):
            return None
        with self._file.open("rb") as file:
            file.seek(header.length + offset - header.start)
            content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):  # a process died while it appended
            os.truncate(self._file, header.length + offset - header.start + whole)
        return _parse(content[:whole]), Position(header.journal, offset + whole)

    def append(self, record: dict[str, Any]) -> tuple[Position, int]:
        """Append a record; return the position after it and the bytes of all records since the snapshot.

        Raises:
            OSError: the record could not be written; the journal is as before.
        """
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        header, end = self._header(), self._file.stat().st_size
        file = os.open(self._file, os.O_WRONLY | os.O_APPEND)
        try:
            if os.write(file, line) != len(line):
                raise OSError("the record was not written whole")
        except OSError:
            os.ftruncate(file, end)
            raise
        finally:
            os.close(file)
        length = end + len(line) - header.length
        return Position(header.journal, header.start + length), length

    def compact(self, snapshot: bytes, position: Position) -> None:
        """Write a snapshot of everything up to a position, and begin the journal anew from there.

        A process that dies in between leaves a snapshot that is newer than the journal's beginning, which is fine.

        Raises:
            OSError: the files cannot be written.
        """
        write_whole(self._snapshot_file, snapshot)
        self._begin(position)

    def _begin(self, position: Position) -> None:
        write_whole(self._file, json.dumps({"journal": position.journal, "start": position.offset}) + "\n")
        self._file.chmod(OWNER_ONLY)

    def _header(self) -> _Header:
        """Read the header; a journal that is missing, or has none, begins anew."""
        for _ in range(2):
            with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
                with self._file.open("rb") as file:
                    line = file.readline()
                header = json.loads(line)
                return _Header(str(header["journal"]), int(header["start"]), len(line))
            self._begin(Position(uuid.uuid4().hex))
        raise OSError("the journal has no header")


def _parse(content: bytes) -> list[dict[str, Any]]:
    """Parse records; a damaged line is left out, by every process alike."""
    records = []
    for line in content.splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict):
                records.append(record)
    return records
