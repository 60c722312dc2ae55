"""How far a file of events was read, kept in Redis together with the batch that was read.

A path does not identify a file: files are replaced, renamed by log rotation, truncated and rewritten, and copied. The
bytes that were read are therefore identified by their digest. Reading continues at the furthest position up to which
the file's bytes have the digest of a record, whatever path the record has.
"""

import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from feature_repo.packed.server import Command
from transforms.stream.log import Log

FIELD = "read up to: "
"""Prefix of the fields in the reader's hash, before the path of the file."""

RECORDS, RECORDS_OF_A_PATH = 1_000, 10
"""Most records that are kept, in total and of one path; the newest stay. A path has more than one, because a copy of a
file may continue where the file was some time ago."""

PIECE = 1 << 20
"""Bytes that are hashed at once."""


@dataclass(frozen=True)
class _Record:
    field: bytes
    path: str
    position: int
    digest: str
    at: float

    @classmethod
    def read(cls, field: bytes, value: bytes) -> Self | None:
        path = field.decode(errors="replace").removeprefix(FIELD)
        try:
            if value.isdigit():  # record of an earlier version, which identified a file by its path
                return cls(field, path, int(value), f"of {path}", 0.0)
            entry = json.loads(value)
            return cls(field, entry["path"], entry["position"], entry["digest"], entry["at"])
        except (ValueError, KeyError, TypeError):
            return None


class FilePlace:
    """A position in a file, with the digest of all bytes before it.

    Args:
        log: log of the reader that keeps the position.
        path: path of the file.

    Attributes:
        position: number of bytes that were read.
        replaced: whether another file was read under this path before.
    """

    def __init__(self, log: Log, path: Path) -> None:
        self._log, self._path = log, str(path.absolute())
        self._field = f"{FIELD}{self._path} {uuid.uuid4().hex[:12]}".encode()
        self._hash, self._obsolete_fields = hashlib.sha256(), list[bytes]()
        self.position, self.replaced = 0, False

    @classmethod
    def locate(cls, log: Log, path: Path, file: BinaryIO) -> Self:
        """Finds the position at which reading of a file continues: its beginning if nothing of it was read.

        Reads the file up to that position, which takes one to two seconds per gigabyte.
        """
        place = cls(log, path)
        records = _records(log)
        by_age = sorted(records, key=lambda record: record.at)
        of_path = [record for record in by_age if record.path == place._path]
        obsolete = {*by_age[: 1 - RECORDS], *of_path[: 1 - RECORDS_OF_A_PATH]}
        place._obsolete_fields = [record.field for record in obsolete]
        furthest: tuple[_Record, Any] | None = None
        for record in sorted(records, key=lambda record: record.position):
            if not place._digest_until(file, record.position):
                break
            if record.digest in (place._hash.hexdigest(), f"of {place._path}"):
                furthest = record, place._hash.copy()
        if furthest is None:
            place._hash, place.position = hashlib.sha256(), 0
            place.replaced = bool(of_path)
        else:
            record, place._hash = furthest
            place.position = record.position
        return place

    def move(self, read: bytes) -> None:
        """Moves the position behind bytes that were read."""
        self._hash.update(read)
        self.position += len(read)

    def commands(self) -> list[Command]:
        """Redis commands that keep the position, and remove obsolete records."""
        entry = {"path": self._path, "position": self.position, "digest": self._hash.hexdigest(), "at": time.time()}
        commands: list[Command] = [("HSET", self._log.names.reader, self._field, json.dumps(entry))]
        if self._obsolete_fields:
            commands.append(("HDEL", self._log.names.reader, *self._obsolete_fields))
            self._obsolete_fields = []
        return commands

    def _digest_until(self, file: BinaryIO, position: int) -> bool:
        """Reads and hashes the file up to a position; false if the file is shorter."""
        while self.position < position:
            piece = file.read(min(PIECE, position - self.position))
            if not piece:
                return False
            self.move(piece)
        return True


def _records(log: Log) -> list[_Record]:
    answer: Any = log.ask("HGETALL", log.names.reader) or {}
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    records = [_Record.read(field, value) for field, value in pairs if field.startswith(FIELD.encode())]
    return [record for record in records if record is not None]
