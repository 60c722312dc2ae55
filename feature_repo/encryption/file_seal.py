"""The end of an encrypted Parquet file: which key it takes, and a seal that binds it to its path.

The key metadata of the file, which Parquet leaves to the writer, holds the id of the data key and a seal: AES-256-GCM
over the digest of the plain file, with the path in the data folder, the file's own random bytes and its footer as
authenticated data. A file that was renamed, or whose footer was changed, does not open. Pages are bound to tenant,
table and file by Parquet's own encryption, and are authenticated when they are read.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from feature_repo.encryption.cipher import seal, unseal
from feature_repo.encryption.key_ring import DataKey
from feature_repo.encryption.modular import ENCRYPTED, algorithm
from feature_repo.encryption.places import Place
from feature_repo.encryption.provider import unusable
from feature_repo.encryption.thrift import read_struct
from feature_repo.errors import EncryptionError

_MARK = b"RF1"
_ID_BYTES, _DIGEST_BYTES = 8, 32
_SEALED_BYTES = 12 + _DIGEST_BYTES + 16
NO_DIGEST = bytes(_DIGEST_BYTES)
"""The digest of a file whose plain bytes never existed."""


@dataclass(frozen=True)
class Tail:
    """The end of an encrypted file.

    Attributes:
        start: where it begins.
        unique: the file's own random bytes.
        footer: the encrypted footer.
        key_metadata: what the writer noted about the key.
    """

    start: int
    unique: bytes
    footer: bytes
    key_metadata: bytes


@dataclass(frozen=True)
class Seal:
    """What the end of a file says.

    Attributes:
        key_id: id of its data key.
        digest: SHA-256 of the plain file, or ``NO_DIGEST``.
    """

    key_id: str
    digest: bytes


def sealed_tail(place: Place, key: DataKey, unique: bytes, footer: bytes, digest: bytes = NO_DIGEST) -> bytes:
    """Makes the end of a file.

    Args:
        place: where the file lies when it is whole.
        key: its data key.
        unique: its own random bytes.
        footer: its encrypted footer.
        digest: SHA-256 of the plain file.
    """
    metadata = _MARK + bytes.fromhex(key.id) + seal(_seal_key(key), digest, _context(place, unique, footer))
    head = algorithm(unique, metadata)
    return b"".join((head, footer, (len(head) + len(footer)).to_bytes(4, "little"), ENCRYPTED))


def read_tail(path: str | Path) -> Tail | None:
    """Reads the end of a file; None if it is no encrypted Parquet file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the end of the file is damaged.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(handle).st_size
        end = os.pread(handle, 8, max(size - 8, 0))
        if end[4:] != ENCRYPTED:
            return None
        if os.pread(handle, 4, 0) != ENCRYPTED:
            raise ValueError("a file that does not begin as it ends")
        length = int.from_bytes(end[:4], "little")
        start = size - 8 - length
        if start < len(ENCRYPTED):
            raise ValueError("a footer that is longer than the file")
        data = os.pread(handle, length, start)
    finally:
        os.close(handle)
    crypto, place = read_struct(data, 0)
    try:
        unique = crypto[1][1][1][1][2][1]
    except (KeyError, TypeError) as error:
        raise ValueError("a file that was encrypted otherwise") from error
    return Tail(start, unique, data[place:], crypto[2][1] if 2 in crypto else b"")


def check(path: str | Path, place: Place) -> Seal | None:
    """Checks the end of a file against its place; cached by what identifies its content.

    Returns:
        What the end says; None if the file is not encrypted.

    Raises:
        FileNotFoundError: there is no such file.
        EncryptionError: the file was changed, moved or renamed, is of another tenant or table, or is plain where plain
            files are refused; or its key cannot be used.
    """
    stat = os.stat(path)  # noqa: PTH116 - called for thousands of files
    result = _check(os.fspath(path), place, (stat.st_ino, stat.st_mtime_ns, stat.st_size))
    if result is None:
        if place.refuses_plain:
            raise unusable(
                f"an encrypted file at {path}, as all files of {place.table} are",
                "a plain file, which somebody has put there",
                "remove it, or take it as it is: refrain encryption encrypt",
            )
        return None
    place.keys.by_id(result.key_id)  # the key may have been destroyed, and its time may be over
    return result


@lru_cache(maxsize=65_536)
def _check(path: str, place: Place, state: tuple[int, int, int]) -> Seal | None:
    try:
        tail = read_tail(path)
        if tail is None:
            return None
        metadata = tail.key_metadata
        if not metadata.startswith(_MARK) or len(metadata) != len(_MARK) + _ID_BYTES + _SEALED_BYTES:
            raise ValueError("no key that Refrain knows")
        key_id = metadata[len(_MARK) : len(_MARK) + _ID_BYTES].hex()
        key = place.keys.by_id(key_id)
        digest = unseal(_seal_key(key), metadata[len(_MARK) + _ID_BYTES :], _context(place, tail.unique, tail.footer))
    except ValueError as error:
        raise changed(path, str(error)) from error
    return Seal(key_id, digest)


def changed(path: str | Path, found: str) -> EncryptionError:
    """The error for an encrypted file that is not as it was written."""
    return unusable(
        f"the encrypted file that Refrain wrote at {path}",
        f"one that was changed, renamed or put there: {found}",
        "restore the file from a backup; if there is none, remove it and repeat: refrain build",
    )


def seal_file(path: Path, place: Place, key: DataKey, digest: bytes = NO_DIGEST) -> None:
    """Seals an encrypted file for the place whose name it gets next; see ``sealed_tail``."""
    tail = read_tail(path)
    if tail is None:
        raise changed(path, "a plain file")
    with path.open("r+b") as handle:
        handle.seek(tail.start)
        handle.truncate()
        handle.write(sealed_tail(place, key, tail.unique, tail.footer, digest))


@lru_cache(maxsize=1024)
def _seal_key(key: DataKey) -> bytes:
    return hmac.new(key.secret, b"refrain file seal", hashlib.sha256).digest()


def _context(place: Place, unique: bytes, footer: bytes) -> bytes:
    return b"".join((place.prefix, place.name.encode(), b"\0", unique, footer))
