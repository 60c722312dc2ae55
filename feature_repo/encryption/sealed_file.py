"""Sealed files: AES-256-GCM with the place of the file as associated data.

A file is a header and chunks. The header has a magic number with the version of the format, the id of the data key and
a random salt. Key of the file: HKDF-SHA256 of the data key with that salt, so that no two files share a key and a
nonce. Chunks are those of the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-
Encryption and its Nonce-Reuse Misuse-Resistance", 2015): the nonce is the number of the chunk and whether it is the
last one, so that chunks that are swapped, repeated or cut off are refused. Header and place are the associated data of
every chunk, so that a file that was moved, or is of another tenant, is refused.

Nothing of a chunk is returned before its tag was checked. A chunk that is yielded says nothing of those behind it:
a writer of a stream to a file gives it its name after the last one.
"""

import io
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Protocol

from feature_repo.errors import EncryptionError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from feature_repo.encryption.key_ring import DataKey

MAGIC = b"\x89RSF\x01"
"""First bytes of a sealed file: no text and no format that Refrain reads begins with them. The last is the version."""
CHUNK = 256 << 10
"""Bytes of content in a chunk; the last one has fewer, or none."""
TAG = 16
"""Bytes that each chunk is longer than its content."""
SALT = 32
_NONCE = struct.Struct(">7xIB")


class SealError(EncryptionError):
    """A sealed file was changed, cut off, moved, rolled back, or is not of this place."""


class KeysById(Protocol):
    """What opens sealed files: ``feature_repo.encryption.key_ring.EncryptionKeys``, or its like."""

    def by_id(self, key_id: str) -> "DataKey":
        """Returns a data key."""
        ...


@dataclass(frozen=True)
class Header:
    """The first bytes of a sealed file.

    Attributes:
        key_id: id of the data key.
        salt: random bytes of this file, which are also its id.

    >>> header = Header("k1", bytes(32))
    >>> Header.read(io.BytesIO(header.to_bytes(MAGIC)), MAGIC, "a") == header
    True
    """

    key_id: str
    salt: bytes

    @classmethod
    def new(cls, key: "DataKey") -> "Header":
        """A header with a new salt."""
        return cls(key.id, os.urandom(SALT))

    @classmethod
    def read(cls, source: IO[bytes], magic: bytes, place: str) -> "Header":
        """Reads a header.

        Args:
            source: the file, at its beginning.
            magic: magic number with the version.
            place: place of the file, for the error.

        Raises:
            SealError: it is no whole header of this version.
        """
        start = source.read(len(magic) + 1)
        if start[:-1] != magic or len(start) <= len(magic):
            raise refusal(place, "it does not begin like a sealed file of this version of Refrain")
        rest = source.read(start[-1] + SALT)
        key_id = rest[:-SALT]
        if len(rest) != start[-1] + SALT or not (key_id.isascii() and key_id.decode("ascii").isprintable()):
            raise refusal(place, "its header is cut off or damaged")
        return cls(key_id.decode("ascii"), rest[-SALT:])

    def to_bytes(self, magic: bytes) -> bytes:
        """The header as it is written."""
        name = self.key_id.encode("ascii")
        return magic + bytes([len(name)]) + name + self.salt

    def cipher(self, secret: bytes, purpose: bytes) -> "AESGCM":
        """The cipher of this file.

        Args:
            secret: the data key, 32 bytes.
            purpose: what the key is for; another purpose has another key.
        """
        from feature_repo.extras import explained

        with explained():
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
            from cryptography.hazmat.primitives.hashes import SHA256
            from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return AESGCM(HKDF(SHA256(), 32, self.salt, b"refrain " + purpose).derive(secret))


def is_sealed(content: bytes) -> bool:
    """Whether a content, or its first bytes, is of a sealed file of any version.

    >>> is_sealed(MAGIC + b"..."), is_sealed(b'{"a": 1}'), is_sealed(b"")
    (True, False, False)
    """
    return content[: len(MAGIC) - 1] == MAGIC[:-1]


def seal(content: bytes, key: "DataKey", place: str) -> bytes:
    """Seals a content.

    Args:
        content: what is sealed.
        key: a data key of the tenant.
        place: where the file will be; the content opens only for the same place.

    >>> from feature_repo.encryption.key_ring import DataKey
    >>> key = DataKey("k1", bytes(32))
    >>> seal(b"secret", key, "default/reports/a.json")[:5] == MAGIC
    True
    """
    return b"".join(seal_stream([content], key, place))


def open_sealed(content: bytes, keys: KeysById, place: str) -> bytes:
    """Opens a sealed content.

    Args:
        content: result of ``seal``.
        keys: the keys of the tenant.
        place: where the file is.

    Raises:
        SealError: it was changed, cut off, or is of another place.
        EncryptionError: there is no such key.
    """
    return b"".join(open_stream(io.BytesIO(content), keys, place))


def seal_stream(parts: Iterable[bytes], key: "DataKey", place: str) -> Iterator[bytes]:
    """Seals a content that is longer than memory.

    Args:
        parts: the content, in parts of any length.
        key: a data key of the tenant.
        place: where the file will be.

    Yields:
        The header, then chunks.
    """
    header = Header.new(key)
    start, cipher = header.to_bytes(MAGIC), header.cipher(key.secret, b"sealed file")
    yield start
    about, number, waiting = start + place.encode(), 0, bytearray()
    for part in parts:
        waiting += part
        if len(waiting) > CHUNK:  # one that fills its chunk may be the last
            view, offset = bytes(waiting), 0
            while len(view) - offset > CHUNK:
                yield cipher.encrypt(_NONCE.pack(number, 0), view[offset : offset + CHUNK], about)
                number, offset = number + 1, offset + CHUNK
            del waiting[:offset]
    yield cipher.encrypt(_NONCE.pack(number, 1), bytes(waiting), about)


def open_stream(source: IO[bytes], keys: KeysById, place: str) -> Iterator[bytes]:
    """Opens a sealed content chunk by chunk; whether it is whole is known after the last one.

    Args:
        source: the sealed file, at its beginning.
        keys: the keys of the tenant.
        place: where the file is.

    Raises:
        SealError: it was changed, cut off, or is of another place.
        EncryptionError: there is no such key.
    """
    header = Header.read(source, MAGIC, place)
    cipher = header.cipher(keys.by_id(header.key_id).secret, b"sealed file")
    from cryptography.exceptions import InvalidTag  # with the cipher, whose absence is explained

    about, number = header.to_bytes(MAGIC) + place.encode(), 0
    chunk = source.read(CHUNK + TAG)
    while True:
        following = source.read(CHUNK + TAG)
        try:
            yield cipher.decrypt(_NONCE.pack(number, 0 if following else 1), chunk, about)
        except (InvalidTag, ValueError) as error:
            raise refusal(place, f"chunk {number} was changed, cut off, or is of another file or place") from error
        if not following:
            return
        chunk, number = following, number + 1


def refusal(place: str, reason: str) -> SealError:
    """The error for a sealed file that is not what was written.

    >>> refusal("default/models/a/1/model.onnx", "it was cut off").found
    'default/models/a/1/model.onnx: it was cut off'
    """
    return SealError(
        expected="a sealed file as it was written",
        found=f"{place}: {reason}",
        next_command="refrain doctor; restore the file from a backup, or make it anew with the command that wrote it",
    )
