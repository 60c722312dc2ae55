"""Pieces of a backup: what names the same people, sealed with the keys of all of them.

A piece that names nobody is sealed as the whole archive is, and with nothing else. One that names several people needs
the key of each, since an erasure of any of them removes the row from the data folder, too.
"""

import os
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feature_repo.encryption.person_keys import Person, PersonKeys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_LEVEL = 6
"""Level of zlib, its default; level 1 makes pieces of ten rows a hundredth longer in about the same time."""


class KeyDestroyed(Exception):
    """A piece names people whose keys were destroyed.

    Args:
        people: their digests.
    """

    def __init__(self, people: Collection[bytes]) -> None:
        super().__init__()
        self.people = frozenset(people)


class KeyUnknown(Exception):
    """A piece names people of whom the file of keys knows nothing."""


@dataclass(frozen=True)
class Piece:
    """A sealed piece.

    Attributes:
        people: digests of those whom it names, sorted.
        count: number of rows or lines.
        content: the sealed bytes.
    """

    people: list[bytes]
    count: int
    content: bytes


@dataclass(frozen=True)
class Sealer:
    """Seals and opens pieces.

    Attributes:
        keys: the keys of people.
        archive: id of the archive, so that a piece of another one does not open.
        dictionary: bytes that every content is like, such as the format of a line; nothing of a person.
    """

    keys: PersonKeys
    archive: bytes
    dictionary: bytes = b""

    def seal(self, people: Collection[Person], count: int, content: bytes) -> Piece:
        """Seals a content that names some people.

        Raises:
            KeyDestroyed: the key of one was destroyed.
        """
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15, zdict=self.dictionary)
        packed = packer.compress(content) + packer.flush()
        digests = sorted(map(self.keys.digest, people))
        if not digests:
            return Piece([], count, packed)
        nonce = os.urandom(_NONCE)
        cipher = _cipher(self._secret(digests))
        return Piece(digests, count, nonce + cipher.encrypt(nonce, packed, self.archive))

    def open(self, piece: Piece) -> bytes:
        """Opens a piece.

        Raises:
            KeyDestroyed: the key of one whom it names was destroyed.
            KeyUnknown: there is no such key, or it is another one.
        """
        from cryptography.exceptions import InvalidTag

        packed = piece.content
        if piece.people:
            cipher = _cipher(self._secret(piece.people))
            try:
                packed = cipher.decrypt(packed[:_NONCE], packed[_NONCE:], self.archive)
            except InvalidTag:
                raise KeyUnknown from None
        return zlib.decompressobj(-15, zdict=self.dictionary).decompress(packed)

    def _secret(self, digests: Sequence[bytes]) -> bytes:
        if gone := [digest for digest in digests if digest in self.keys.destroyed]:
            raise KeyDestroyed(gone)
        return _joined(self.keys.keys, digests)


def _joined(keys: Mapping[bytes, bytes], digests: Sequence[bytes]) -> bytes:
    """The key of one person, or one that needs the keys of several."""
    try:
        secrets = [keys[digest] for digest in digests]
    except KeyError:
        raise KeyUnknown from None
    if len(secrets) == 1:
        return secrets[0]
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, b"", b"refrain people").derive(b"".join(secrets))


def _cipher(secret: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(secret)
