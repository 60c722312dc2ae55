"""Where events come from: the stream in Redis, a file, or standard input, with one JSON object a line."""

import json
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from feature_repo.errors import InputError, OnlineUnavailable
from feature_repo.events import BYTE_ORDER_MARK
from feature_repo.packed.server import Command
from transforms.stream.accept import Told
from transforms.stream.file_place import FilePlace
from transforms.stream.json_lines import check_lines
from transforms.stream.log import Log

GROUP, READER = "features", "reader"
"""Consumer group and consumer: one reader at a time, see ``log.Log.take``."""

_READ = ("XREADGROUP", "GROUP", GROUP, READER, "COUNT")

ACKNOWLEDGED = 1_000
"""Entries of one command: a script can't pass on many more words."""

PIECE = LONGEST_LINE = 1 << 20
"""Bytes that are read at once, and of a line."""


@dataclass
class Batch:
    """Some events.

    Attributes:
        told: in the order in which they came.
        taken: commands by which the source knows that they were read.
        ends: whether nothing comes after them.
        arrived: when the first of them came, seconds since 1970; None where that is not known.
    """

    told: list[Told] = field(default_factory=list)
    taken: list[Command] = field(default_factory=list)
    ends: bool = False
    arrived: float | None = None


class Source(Protocol):
    """Where events come from."""

    name: str

    def begin(self, most: int, wait: float) -> Callable[[], Batch]:
        """Ask for the next events, so many at the most; what comes back waits for the first, so many seconds."""
        ...

    def restart(self) -> None:
        """Read again what was read and not taken."""
        ...


class Stream:
    """The stream in Redis, read by a consumer group.

    Where more waits than one batch holds, the next one is fetched while the one before is counted.
    """

    name = "the stream in Redis"

    def __init__(self, log: Log) -> None:
        self._log = log
        self._after: bytes | str = "0"
        self._ahead: Callable[[], Any] | None = None
        self._make()

    def _make(self) -> None:
        try:
            self._log.ask("XGROUP", "CREATE", self._log.names.stream, GROUP, "0", "MKSTREAM")
        except OnlineUnavailable as error:
            if "BUSYGROUP" not in error.found:
                raise

    def restart(self) -> None:
        """First what was given to us and not acknowledged."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            with suppress(OnlineUnavailable):
                ahead()  # else it might give us some after we have asked for those that it gave us
        self._after = "0"
        self._make()

    def begin(self, most: int, wait: float) -> Callable[[], Batch]:
        """What waits; what was not acknowledged comes first."""
        if self._after != ">":
            return partial(self._again, most, wait)
        ahead, self._ahead = self._ahead, None
        return partial(self._new, ahead or self._ask_for_new(most, wait), most, wait)

    def _again(self, most: int, wait: float) -> Batch:
        answer = self._log.ask(*_READ, most, "STREAMS", self._log.names.stream, self._after)
        entries = answer[0][1] if answer else []
        self._after = entries[-1][0] if entries else ">"
        return self._batch(entries) if entries else self.begin(most, wait)()

    def _new(self, answer: Callable[[], Any], most: int, wait: float) -> Batch:
        try:
            found = answer()
        except OnlineUnavailable:  # it may have given us some that never arrived
            self.restart()
            return self.begin(most, wait)()
        entries = found[0][1] if found else []
        if len(entries) == most:
            self._ahead = self._ask_for_new(most, wait)
        return self._batch(entries)

    def _ask_for_new(self, most: int, wait: float) -> Callable[[], Any]:
        block = max(round(wait * 1000), 1)
        return self._log.begin_once(*_READ, most, "BLOCK", block, "STREAMS", self._log.names.stream, ">")

    def _batch(self, entries: list[Any]) -> Batch:
        name = self._log.names.stream
        flat = list(chain.from_iterable(fields for _, fields in entries if fields))
        told = list(map(Told, map(_kind, flat[::2]), flat[1::2]))
        ids = [entry[0] for entry in entries]
        taken: list[Command] = [
            ("XACK", name, GROUP, *ids[start : start + ACKNOWLEDGED]) for start in range(0, len(ids), ACKNOWLEDGED)
        ]
        if ids:
            taken.append(("XTRIM", name, "MINID", "~", ids[-1]))
        arrived = int(ids[0].split(b"-")[0]) / 1000 if ids else None
        return Batch(told, taken, arrived=arrived)


@lru_cache
def _kind(told: bytes) -> str:
    return told.decode(errors="replace")


class Lines:
    """A file, from where it was left, or standard input: one JSON object a line.

    A file is known by its content, whatever it is called: up to where it was read, every byte must be as it was. One
    that was replaced is read from its beginning; one that was renamed or copied goes on where it was. A last line
    without a newline is an event if it is a whole JSON object; otherwise somebody is still writing it, and it is left
    for the next time.

    Args:
        log: that remembers how far files were read.
        path: of the file; None for standard input.
        kind: of the events.

    Attributes:
        remarks: what a person may want to know of the file.
    """

    def __init__(self, log: Log, path: Path | None, kind: str) -> None:
        self._log, self._path, self._kind = log, path, kind
        self.name = "standard input" if path is None else str(path)
        self.remarks: list[str] = []
        self._open: int | None = None
        self._place: FilePlace | None = None
        self._rest, self._ended = b"", False

    def restart(self) -> None:
        """Back to what was taken; of standard input what was read is gone."""
        if self._open is not None and self._path:
            os.close(self._open)
            self._open, self._rest, self._ended = None, b"", False
            self.remarks.clear()

    def begin(self, most: int, wait: float) -> Callable[[], Batch]:
        """The next lines; of standard input those that are there, after the first."""
        return partial(self._read, most, wait)

    def _read(self, most: int, wait: float) -> Batch:
        if self._open is None:
            self._open = self._opened()
        lines = self._lines(most)
        while not lines and not self._ended:
            if self._path is None and not select.select([self._open], [], [], wait)[0]:
                return Batch()
            piece = os.read(self._open, PIECE)
            self._ended = not piece
            self._rest += piece
            lines = self._lines(most)
        taken = self._place.commands() if self._place and lines else []
        told = [Told(self._kind, line) for line in lines if line.strip()]
        return Batch(told, taken, ends=self._ended and not self._rest)

    def _lines(self, most: int) -> list[bytes]:
        before = self._rest
        *lines, rest = before.split(b"\n", most)
        unfinished = b""
        if (self._ended or len(rest) > LONGEST_LINE) and b"\n" not in rest and len(lines) < most and rest:
            if self._path is None or len(rest) > LONGEST_LINE or _is_object(rest):
                lines = [*lines, rest]
            else:
                unfinished = rest
                self.remarks.append(
                    f"the last line of {self._path} has {len(rest):,} bytes and no end: "
                    "it is read once its newline is there"
                )
            rest = b""
        self._rest = rest
        if self._place:
            self._place.move(before[: len(before) - len(rest) - len(unfinished)])
        return lines

    def _opened(self) -> int:
        if self._path is None:
            return sys.stdin.fileno()
        if not self._path.is_file():
            raise InputError(
                expected="redis, '-' for standard input, or a file with one JSON object a line",
                found=f"no file {self._path}",
                next_command="python -m transforms stream --help",
            )
        check_lines(self._path, "stream")
        with self._path.open("rb") as file:
            self._place = FilePlace.found(self._log, self._path, file)
            if self._place.replaced:
                self.remarks.append(
                    f"{self._path} is not the file that was read under this name before: it was read from its start. "
                    "If the other one was renamed, stream it under its new name to read its end"
                )
            descriptor = os.dup(file.fileno())
        os.lseek(descriptor, self._place.position, os.SEEK_SET)
        return descriptor


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.removeprefix(BYTE_ORDER_MARK)), dict)
    except ValueError:
        return False
