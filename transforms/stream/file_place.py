"""How far a file of events was read, kept in Redis with the batch that was read of it.

A file has no name that can be trusted: it is replaced, renamed by whoever rotates it, emptied and written anew, copied.
What was read of it is therefore known by its digest. A file goes on at the furthest place up to which its bytes are
those of a record, under whatever path that was read.
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
"""Of the reader's hash, before the path of the file."""

RECORDS, RECORDS_OF_A_PATH = 1_000, 10
"""Places that are remembered: the newest of all, and of one path. More than one of a path, because a copy of a file
may go on where the file was some time ago."""

PIECE = 1 << 20
"""Bytes that are digested at once."""


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
            if value.isdigit():  # of a version that knew a file by its path
                return cls(field, path, int(value), f"of {path}", 0.0)
            entry = json.loads(value)
            return cls(field, entry["path"], entry["position"], entry["digest"], entry["at"])
        except (ValueError, KeyError, TypeError):
            return None


class FilePlace:
    """A place in a file, with the digest of all that lies before it.

    Args:
        log: of the reader that keeps it.
        path: of the file.

    Attributes:
        position: bytes that were read.
        replaced: whether another file was read under this path before.
    """

    def __init__(self, log: Log, path: Path) -> None:
        self._log, self._path = log, str(path.absolute())
        self._field = f"{FIELD}{self._path} {uuid.uuid4().hex[:12]}".encode()
        self._hash, self._forgotten = hashlib.sha256(), list[bytes]()
        self.position, self.replaced = 0, False

    @classmethod
    def found(cls, log: Log, path: Path, file: BinaryIO) -> Self:
        """Where the reading of a file goes on: at its beginning if nothing of it was read.

        Reads the file up to there, which takes a second or two for each gigabyte.
        """
        place = cls(log, path)
        records = _records(log)
        by_age = sorted(records, key=lambda one: one.at)
        here = [record for record in by_age if record.path == place._path]
        old = {*by_age[: 1 - RECORDS], *here[: 1 - RECORDS_OF_A_PATH]}
        place._forgotten = [record.field for record in old]
        furthest: tuple[_Record, Any] | None = None
        for record in sorted(records, key=lambda one: one.position):
            if not place._digest_until(file, record.position):
                break
            if record.digest in (place._hash.hexdigest(), f"of {place._path}"):
                furthest = record, place._hash.copy()
        if furthest is None:
            place._hash, place.position = hashlib.sha256(), 0
            place.replaced = bool(here)
        else:
            record, place._hash = furthest
            place.position = record.position
        return place

    def move(self, read: bytes) -> None:
        """Behind what was read."""
        self._hash.update(read)
        self.position += len(read)

    def commands(self) -> list[Command]:
        """That keep the place, and forget those of files that were read long ago."""
        entry = {"path": self._path, "position": self.position, "digest": self._hash.hexdigest(), "at": time.time()}
        commands: list[Command] = [("HSET", self._log.names.reader, self._field, json.dumps(entry))]
        if self._forgotten:
            commands.append(("HDEL", self._log.names.reader, *self._forgotten))
            self._forgotten = []
        return commands

    def _digest_until(self, file: BinaryIO, position: int) -> bool:
        """Digest the bytes from here to there; whether the file has so many."""
        while self.position < position:
            piece = file.read(min(PIECE, position - self.position))
            if not piece:
                return False
            self.move(piece)
        return True


def _records(log: Log) -> list[_Record]:
    answer: Any = log.ask("HGETALL", log.names.reader) or {}
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    found = [_Record.read(field, value) for field, value in pairs if field.startswith(FIELD.encode())]
    return [record for record in found if record is not None]
