"""Sealed logs: lines that are appended, in blocks with numbers, so that a block that is missing or moved is seen.

A log is a header (``sealed_file.Header``) and blocks. A block is its sealed length, then its sealed lines; both have
the number of the block in their nonce, so that a block that was removed, repeated or swapped is refused. A process that
is killed leaves a block that is cut off, which is left out, as a cut-off line of a plain log is. The last block of a
log that was closed is an end: from then on, a log that is cut off is refused. Only one process appends to a log, the
one that began it.
"""

import io
import os
import struct
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from feature_repo.encryption.file_list import FileList
from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.sealed_file import TAG, Header, KeysById, refusal
from feature_repo.encryption.stored_place import stored_place
from feature_repo.home import Home
from feature_repo.whole_files import append_at_once

MAGIC = b"\x89RSL\x01"
"""First bytes of a sealed log; the last is the version."""
SCOPE = "logs"
"""Scope of the data key of logs."""
_LENGTH = struct.Struct(">I")
_NONCE = struct.Struct(">3xBQ")
_OF_LENGTH, _OF_LINES = 0, 1


class Blocks:
    """The blocks of one log.

    Args:
        header: header of the log.
        secret: the data key.
        place: place of the log.
    """

    def __init__(self, header: Header, secret: bytes, place: str) -> None:
        self._place, self._cipher = place, header.cipher(secret, b"sealed log")
        self._about = header.to_bytes(MAGIC) + place.encode()

    def seal(self, number: int, lines: bytes) -> bytes:
        """One block; without lines it is the end of the log."""
        length = _LENGTH.pack(len(lines) + TAG)
        sealed_length = self._cipher.encrypt(_NONCE.pack(_OF_LENGTH, number), length, self._about)
        return sealed_length + self._cipher.encrypt(_NONCE.pack(_OF_LINES, number), lines, self._about)

    def open(self, source: IO[bytes]) -> tuple[list[bytes], bool]:
        """The lines of a log behind its header, and whether its end was reached.

        Raises:
            SealError: a block was changed, removed, repeated or swapped.
        """
        from cryptography.exceptions import InvalidTag

        lines: list[bytes] = []
        number, is_ended = 0, False
        while start := source.read(_LENGTH.size + TAG):
            if is_ended:
                raise refusal(self._place, "lines were appended behind its end")
            if len(start) < _LENGTH.size + TAG:
                break
            try:
                (length,) = _LENGTH.unpack(self._cipher.decrypt(_NONCE.pack(_OF_LENGTH, number), start, self._about))
                sealed_lines = source.read(length)
                if len(sealed_lines) < length:
                    break
                content = self._cipher.decrypt(_NONCE.pack(_OF_LINES, number), sealed_lines, self._about)
            except InvalidTag as error:
                reason = f"block {number} was changed, removed, repeated or swapped, or the log was moved"
                raise refusal(self._place, reason) from error
            lines += content.splitlines()
            number, is_ended = number + 1, not content
        return lines, is_ended


@dataclass
class _Open:
    """A log that this process appends to: where its next block goes."""

    inode: int
    size: int
    number: int
    salt: bytes
    blocks: Blocks


class SealedLogs:
    """Appends to the sealed logs of one process. The caller sees to it that one thread at a time does.

    Args:
        home: the data folder.
        keys: its keys.
    """

    def __init__(self, home: Home, keys: EncryptionKeys) -> None:
        self._home, self._keys, self._list = home, keys, FileList(home, keys)
        self._open: dict[Path, _Open] = {}
        self._names: dict[Path, str] = {}

    def append(self, path: Path, lines: bytes) -> None:
        """Append lines as one block; of what does not fit on the disk nothing is left.

        A log that another process has written to, as an erasure does, is left as it is, and another one begun beside
        it.

        Args:
            path: the log.
            lines: the lines, without a line break at their end.

        Raises:
            OSError: the disk is full, or the log cannot be written.
        """
        name, path = path, path.with_name(self._names.get(path, path.name))
        while not self._append(path, lines):
            self._names[name] = f"{os.getpid()}-{uuid.uuid4().hex[:8]}{name.suffix}"
            path = name.with_name(self._names[name])

    def _append(self, path: Path, lines: bytes) -> bool:
        """Append a block; false if another process has written to the log."""
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            stat, log, start = os.fstat(handle), self._open.pop(path, None), b""
            if stat.st_size == 0:
                self._close_others(path)
                log, start = self._begin(path, stat.st_ino)
            elif log is None or (log.inode, log.size) != (stat.st_ino, stat.st_size):
                return False
            block = start + log.blocks.seal(log.number, lines)
            append_at_once(handle, block, path)
        finally:
            os.close(handle)
        log.size, log.number = log.size + len(block), log.number + 1
        self._open[path] = log  # not after an error: a number is used once
        return True

    def close(self) -> None:
        """End all logs of this process."""
        for path in list(self._open):
            self._end(path)

    def _begin(self, path: Path, inode: int) -> tuple[_Open, bytes]:
        key, place = self._keys.key(SCOPE), stored_place(self._home, path)
        header = Header.new(key)
        self._list.add(place, header.salt, is_closed=False)
        return _Open(inode, 0, 0, header.salt, Blocks(header, key.secret, place)), header.to_bytes(MAGIC)

    def _close_others(self, path: Path) -> None:
        """End the log of the day before, now that one of another day begins."""
        for other in [each for each in self._open if each.parent.parent == path.parent.parent]:
            self._end(other)

    def _end(self, path: Path) -> None:
        log = self._open.pop(path)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:  # packed, or removed with its day
            return
        try:
            stat = os.fstat(handle)
            if (stat.st_ino, stat.st_size) == (log.inode, log.size):
                append_at_once(handle, log.blocks.seal(log.number, b""), path)
                self._list.add(stored_place(self._home, path), log.salt, is_closed=True)
        finally:
            os.close(handle)


def is_sealed_log(content: bytes) -> bool:
    """Whether a content, or its first bytes, is of a sealed log of any version."""
    return content[: len(MAGIC) - 1] == MAGIC[:-1]


def seal_log(lines: Iterable[bytes], keys: EncryptionKeys, place: str) -> bytes:
    """A closed log of some lines, with or without line breaks."""
    key = keys.key(SCOPE)
    header = Header.new(key)
    blocks, content = Blocks(header, key.secret, place), b"\n".join(line.rstrip(b"\r\n") for line in lines)
    bodies = [blocks.seal(0, content), blocks.seal(1, b"")] if content else [blocks.seal(0, b"")]
    return b"".join((header.to_bytes(MAGIC), *bodies))


def open_log(content: bytes, keys: KeysById, place: str) -> tuple[list[bytes], bytes, bool]:
    """The lines of a sealed log, its salt, and whether it has its end.

    Raises:
        SealError: it was changed, or is of another place.
        EncryptionError: there is no such key.
    """
    source = io.BytesIO(content)
    header = Header.read(source, MAGIC, place)
    lines, is_ended = Blocks(header, keys.by_id(header.key_id).secret, place).open(source)
    return lines, header.salt, is_ended
