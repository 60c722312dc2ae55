"""The file of a backup: messages, sealed as one stream.

``About`` comes first, ``Total`` last; between them come ``Start`` (a file, or files of the same columns) and the pieces
of its content, and so on.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from feature_repo.encryption.key_ring import EncryptionKeys
from feature_repo.encryption.sealed_file import KeysById, is_sealed, open_stream, refusal, seal_stream
from feature_repo.errors import InputError
from feature_repo.home import Home
from refrain.backup.pieces import Piece

SCOPE = "backups"
"""Scope of the data keys of backups."""
VERSION = 1
_LENGTH = struct.Struct(">I")


class About(msgspec.Struct, tag="about", array_like=True):
    """What a backup is of.

    Attributes:
        version: version of its format.
        archive: random bytes, its id.
        tenant: the tenant.
        made_at: when it was begun, ISO 8601.
        refrain: the version of Refrain that made it.
        layout: the layout of the data folder.
    """

    version: int
    archive: bytes
    tenant: str
    made_at: str
    refrain: str
    layout: int


class File(msgspec.Struct):
    """One file.

    Attributes:
        path: below the data folder.
        mode: its permissions.
        metadata: the key-value metadata of a table.
        rows: its number of rows, or lines.
    """

    path: str
    mode: int
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    rows: int = 0


class Start(msgspec.Struct, tag="start", array_like=True):
    """The beginning of files whose pieces follow.

    Attributes:
        kind: ``table``, ``lines``, ``file``, ``keys`` or ``restricted``.
        files: the files.
        schema: the columns of tables, as Arrow serializes them.
    """

    kind: str
    files: list[File]
    schema: bytes = b""


class Part(msgspec.Struct, tag="piece", array_like=True):
    """One piece; see ``pieces.Piece``."""

    people: list[bytes]
    count: int
    content: bytes


class Total(msgspec.Struct, tag="total", array_like=True):
    """The end, with the number of files, rows and lines, and of people."""

    files: int
    rows: int
    people: int


Message = About | Start | Part | Total


@dataclass(frozen=True)
class Reading:
    """A backup that is being read.

    Attributes:
        about: what it is of.
        messages: the messages behind; they raise ``SealError`` where the archive was changed or cut off.
    """

    about: About
    messages: Iterator[Message]


def part_of(piece: Piece) -> Part:
    """The message of a piece."""
    return Part(piece.people, piece.count, piece.content)


def write(messages: Iterable[Message], home: Home, keys: EncryptionKeys) -> Iterator[bytes]:
    """Yields the bytes of an archive."""
    encode = msgspec.msgpack.Encoder().encode

    def framed() -> Iterator[bytes]:
        for message in messages:
            content = encode(message)
            yield _LENGTH.pack(len(content)) + content

    yield from seal_stream(framed(), keys.key(SCOPE), _place(home))


def read(path: Path, home: Home, keys: KeysById) -> Iterator[Message]:
    """Yields the messages of an archive.

    Raises:
        InputError: it is no archive of a backup, or one of a newer Refrain.
        SealError: it was changed or cut off, or is of another tenant.
        EncryptionError: its key is not there.
    """
    decode = msgspec.msgpack.Decoder(Message).decode  # type: ignore[type-var]
    with path.open("rb") as source:
        if not is_sealed(source.read(8)):
            raise InputError(
                expected="a backup, as `refrain backup create` writes it",
                found=str(path),
                next_command="refrain backup create FILE",
            )
        source.seek(0)
        stream = _Chunks(open_stream(source, keys, _place(home)))
        is_ended = False
        while start := stream.read(_LENGTH.size):
            try:
                message = decode(stream.read(_LENGTH.unpack(start)[0]))
            except (msgspec.MsgspecError, struct.error) as error:
                raise refusal(str(path), f"it is no backup: {error}") from error
            yield message
            is_ended = isinstance(message, Total)
        if not is_ended:
            raise refusal(str(path), "its end is missing")


def open_archive(path: Path, home: Home, keys: KeysById) -> Reading:
    """Opens a backup.

    Raises:
        InputError: it is no backup, or one of a newer Refrain.
        SealError: it was changed or cut off, or is of another tenant.
        EncryptionError: its key is not there.
    """
    messages = read(path, home, keys)
    about = next(messages, None)
    if not isinstance(about, About):
        raise refusal(str(path), "it is sealed, and no backup")
    if about.version != VERSION:
        raise InputError(
            expected=f"a backup of version {VERSION}",
            found=f"one of version {about.version}, of Refrain {about.refrain}",
            next_command="python -m pip install --upgrade refrain",
        )
    return Reading(about, messages)


def _place(home: Home) -> str:
    return f"{home.tenant}:backup"


class _Chunks:
    """Chunks of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def read(self, size: int) -> bytes:
        """Returns so many bytes, or those that are left."""
        parts, missing = [], size
        while missing:
            if not self._rest:
                self._rest = next(self._chunks, b"")
                if not self._rest:
                    break
            parts.append(self._rest[:missing])
            self._rest = self._rest[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)
