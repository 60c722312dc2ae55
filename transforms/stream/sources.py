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
from transforms.stream.accept import RawEvent
from transforms.stream.file_place import FilePlace
from transforms.stream.json_lines import check_lines
from transforms.stream.log import Log

GROUP, READER = "features", "reader"
"""Consumer group and consumer: one reader at a time, see ``log.Log.acquire_lease``."""

_READ = ("XREADGROUP", "GROUP", GROUP, READER, "COUNT")

ACKNOWLEDGED = 1_000
"""Entries that one command acknowledges: a script cannot pass on many more arguments."""

PIECE = LONGEST_LINE = 1 << 20
"""Bytes that are read at once, and the longest line in bytes."""


@dataclass
class Batch:
    """A batch of events.

    Attributes:
        events: the events, in the order of arrival.
        acknowledgements: Redis commands that record that the events were read.
        ends: whether the source ends after this batch.
        arrived: arrival time of the first event, seconds since 1970; None if unknown.
    """

    events: list[RawEvent] = field(default_factory=list)
    acknowledgements: list[Command] = field(default_factory=list)
    ends: bool = False
    arrived: float | None = None


class Source(Protocol):
    """Where events come from."""

    name: str

    def begin(self, limit: int, wait: float) -> Callable[[], Batch]:
        """Requests the next events.

        Args:
            limit: most events of the batch.
            wait: seconds to wait for the first event.

        Returns:
            A function that returns the batch once it is there.
        """
        ...

    def restart(self) -> None:
        """Goes back to read again the events that were read and not acknowledged."""
        ...


class Stream:
    """The stream in Redis, read by a consumer group.

    If more events wait than fit into one batch, the next batch is fetched while the current one is counted.
    """

    name = "the stream in Redis"

    def __init__(self, log: Log) -> None:
        self._log = log
        self._after: bytes | str = "0"
        self._prefetched: Callable[[], Any] | None = None
        self._create_group()

    def _create_group(self) -> None:
        try:
            self._log.ask("XGROUP", "CREATE", self._log.names.stream, GROUP, "0", "MKSTREAM")
        except OnlineUnavailable as error:
            if "BUSYGROUP" not in error.found:
                raise

    def restart(self) -> None:
        """Goes back to the entries that were delivered to this reader and not acknowledged."""
        prefetched, self._prefetched = self._prefetched, None
        if prefetched is not None:
            with suppress(OnlineUnavailable):
                prefetched()  # otherwise Redis might deliver entries after the pending ones were listed
        self._after = "0"
        self._create_group()

    def begin(self, limit: int, wait: float) -> Callable[[], Batch]:
        """Requests the next entries; those that were not acknowledged come first."""
        if self._after != ">":
            return partial(self._read_pending, limit, wait)
        prefetched, self._prefetched = self._prefetched, None
        return partial(self._read_new, prefetched or self._request_new(limit, wait), limit, wait)

    def _read_pending(self, limit: int, wait: float) -> Batch:
        answer = self._log.ask(*_READ, limit, "STREAMS", self._log.names.stream, self._after)
        entries = answer[0][1] if answer else []
        self._after = entries[-1][0] if entries else ">"
        return self._batch(entries) if entries else self.begin(limit, wait)()

    def _read_new(self, answer: Callable[[], Any], limit: int, wait: float) -> Batch:
        try:
            streams = answer()
        except OnlineUnavailable:  # Redis may have delivered entries that never arrived here
            self.restart()
            return self.begin(limit, wait)()
        entries = streams[0][1] if streams else []
        if len(entries) == limit:
            self._prefetched = self._request_new(limit, wait)
        return self._batch(entries)

    def _request_new(self, limit: int, wait: float) -> Callable[[], Any]:
        block = max(round(wait * 1000), 1)
        return self._log.begin_once(*_READ, limit, "BLOCK", block, "STREAMS", self._log.names.stream, ">")

    def _batch(self, entries: list[Any]) -> Batch:
        name = self._log.names.stream
        flat = list(chain.from_iterable(fields for _, fields in entries if fields))
        events = list(map(RawEvent, map(_kind, flat[::2]), flat[1::2]))
        ids = [entry[0] for entry in entries]
        acknowledgements: list[Command] = [
            ("XACK", name, GROUP, *ids[start : start + ACKNOWLEDGED]) for start in range(0, len(ids), ACKNOWLEDGED)
        ]
        if ids:
            acknowledgements.append(("XTRIM", name, "MINID", "~", ids[-1]))
        arrived = int(ids[0].split(b"-")[0]) / 1000 if ids else None
        return Batch(events, acknowledgements, arrived=arrived)


@lru_cache
def _kind(field_name: bytes) -> str:
    return field_name.decode(errors="replace")


class Lines:
    """A file, read from where reading stopped before, or standard input: one JSON object a line.

    A file is identified by its content, whatever its name: all bytes that were read before must be unchanged. A file
    that was replaced is read from its beginning; reading of a renamed or copied file continues. A last line without a
    newline is an event if it is a complete JSON object; otherwise it is still being written, and is read next time.

    Args:
        log: the reader's log, which keeps how far files were read.
        path: path of the file; None for standard input.
        kind: kind of the events.

    Attributes:
        remarks: messages about the file for the user.
    """

    def __init__(self, log: Log, path: Path | None, kind: str) -> None:
        self._log, self._path, self._kind = log, path, kind
        self.name = "standard input" if path is None else str(path)
        self.remarks: list[str] = []
        self._descriptor: int | None = None
        self._place: FilePlace | None = None
        self._buffer, self._ended = b"", False

    def restart(self) -> None:
        """Goes back to the last acknowledged place; lines read from standard input are lost."""
        if self._descriptor is not None and self._path:
            os.close(self._descriptor)
            self._descriptor, self._buffer, self._ended = None, b"", False
            self.remarks.clear()

    def begin(self, limit: int, wait: float) -> Callable[[], Batch]:
        """Requests the next lines; of standard input, the lines that are available once the first one is."""
        return partial(self._read, limit, wait)

    def _read(self, limit: int, wait: float) -> Batch:
        if self._descriptor is None:
            self._descriptor = self._open_input()
        lines = self._take_lines(limit)
        while not lines and not self._ended:
            if self._path is None and not select.select([self._descriptor], [], [], wait)[0]:
                return Batch()
            piece = os.read(self._descriptor, PIECE)
            self._ended = not piece
            self._buffer += piece
            lines = self._take_lines(limit)
        acknowledgements = self._place.commands() if self._place and lines else []
        events = [RawEvent(self._kind, line) for line in lines if line.strip()]
        return Batch(events, acknowledgements, ends=self._ended and not self._buffer)

    def _take_lines(self, limit: int) -> list[bytes]:
        before = self._buffer
        *lines, remainder = before.split(b"\n", limit)
        unfinished = b""
        if (
            (self._ended or len(remainder) > LONGEST_LINE)
            and b"\n" not in remainder
            and len(lines) < limit
            and remainder
        ):
            if self._path is None or len(remainder) > LONGEST_LINE or _is_object(remainder):
                lines = [*lines, remainder]
            else:
                unfinished = remainder
                self.remarks.append(
                    f"the last line of {self._path} has {len(remainder):,} bytes and no end: "
                    "it is read once its newline is there"
                )
            remainder = b""
        self._buffer = remainder
        if self._place:
            self._place.move(before[: len(before) - len(remainder) - len(unfinished)])
        return lines

    def _open_input(self) -> int:
        if self._path is None:
            return sys.stdin.fileno()
        if not self._path.is_file():
            raise InputError(
                expected="redis, '-' for standard input, or a file with one JSON object a line",
                found=f"no file {self._path}",
                next_command="refrain stream --help",
            )
        check_lines(self._path, "stream")
        with self._path.open("rb") as file:
            self._place = FilePlace.locate(self._log, self._path, file)
            if self._place.replaced:
                self.remarks.append(
                    f"{self._path} is not the file that was read under this name before: it was read from its start. "
                    "If the earlier file was renamed, stream it under its new name to read its end"
                )
            descriptor = os.dup(file.fileno())
        os.lseek(descriptor, self._place.position, os.SEEK_SET)
        return descriptor


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.removeprefix(BYTE_ORDER_MARK)), dict)
    except ValueError:
        return False
