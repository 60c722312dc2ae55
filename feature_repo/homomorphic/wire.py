"""The form of what is sent: contexts and vectors as TenSEAL writes them (messages of Protocol Buffers), read strictly.

TenSEAL reads these messages by itself, but believes them: a vector that claims a length reads as far into memory, and
a context may ask for parameters that take gigabytes to set up. So the messages are taken apart here, and made anew with
our own lengths, scales and parameters around the ciphertexts and keys, which SEAL checks against its parameters.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from feature_repo.errors import InputError

MAX_CONTEXT_BYTES = 4_000_000
"""Maximum bytes of a context; with the rotation keys of 512 dimensions it takes 2.3 MB."""
MAX_VECTOR_BYTES = 100_000
"""Maximum bytes of an encrypted vector; it takes 69 kB."""
SEAL_HEADER = 16
"""Bytes before each object of SEAL: magic number, versions, kind of compression, length."""
_SEAL_MAGIC = b"\x5e\xa1\x10"
_VARINT, _FIXED64, _BYTES = 0, 1, 2
_MEND = "encrypt by refrain.client.encryption.EncryptionKeys, and send the bytes unchanged"


@dataclass(frozen=True)
class PublicContext:
    """What a client sends of its context: enough to evaluate, not to decrypt.

    Attributes:
        parameters: parameters of the scheme, as SEAL writes them.
        public_key: the public key, by which fresh zeros are encrypted.
        rotation_keys: the keys of rotations.
    """

    parameters: bytes
    public_key: bytes
    rotation_keys: bytes

    @classmethod
    def from_bytes(cls, content: bytes) -> "PublicContext":
        """Read a context that TenSEAL or ``to_bytes`` wrote.

        Raises:
            InputError: it is none, it is cut off, it lacks a key, or it contains a secret key.
        """
        if len(content) > MAX_CONTEXT_BYTES:
            raise _invalid(f"a context of at most {MAX_CONTEXT_BYTES:,} bytes", f"{len(content):,}")
        fields = _fields(content, "a context")
        parameters = _bytes_of(fields, 1, "a context with its parameters")
        _seal_object(parameters, "the parameters of a context")
        if 3 in fields:
            raise InputError(
                expected="a context without a secret key",
                found="one with it, which is not kept and was not read",
                next_command="make new keys, as these have left your machine; send only what `public` returns",
            )
        public = _fields(_bytes_of(fields, 2, "a context with its public part"), "the public part of a context")
        return cls(
            parameters,
            _seal_object(_bytes_of(public, 1, "a context with its public key"), "a public key"),
            _seal_object(_bytes_of(public, 5, "a context with keys of rotations"), "keys of rotations"),
        )

    def to_bytes(self, scale: float) -> bytes:
        """Write a context that TenSEAL reads: nothing is rescaled or relinearised by itself.

        Args:
            scale: scale of the numbers of models.
        """
        flags = bytes([2 << 3 | _VARINT, 0])
        public = _field(1, self.public_key) + flags + _number(3, scale) + _field(5, self.rotation_keys)
        return _field(1, self.parameters) + _field(2, public)


def read_vector(content: bytes) -> bytes:
    """Return the one ciphertext of a vector that TenSEAL or ``write_vector`` wrote; its length and scale are not read.

    Raises:
        InputError: it is no vector, it is cut off, or it has another number of ciphertexts.
    """
    if len(content) > MAX_VECTOR_BYTES:
        raise _invalid(f"an encrypted vector of at most {MAX_VECTOR_BYTES:,} bytes", f"{len(content):,}")
    fields = _fields(content, "an encrypted vector")
    if len(fields.get(2, ())) != 1:
        raise _invalid("a vector of one ciphertext", f"{len(fields.get(2, ()))}")
    return _seal_object(_bytes_of(fields, 2, "a ciphertext"), "a ciphertext")


def write_vector(ciphertext: bytes, length: int, scale: float) -> bytes:
    """Write a vector of one ciphertext that TenSEAL reads.

    Args:
        ciphertext: the ciphertext, as SEAL writes it.
        length: count of the numbers in it.
        scale: scale of the numbers by which TenSEAL multiplies it.
    """
    return _field(1, _varint(length)) + _field(2, ciphertext) + _number(3, scale)


def _fields(content: bytes, what: str) -> dict[int, list[bytes | int]]:
    """Read the fields of a message of Protocol Buffers: number → values, in their order."""
    fields: dict[int, list[bytes | int]] = {}
    for number, value in _each_field(content, what):
        fields.setdefault(number, []).append(value)
    return fields


def _each_field(content: bytes, what: str) -> Iterator[tuple[int, bytes | int]]:
    place = 0
    while place < len(content):
        tag, place = _read_varint(content, place, what)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, place = _read_varint(content, place, what)
            yield number, value
            continue
        if kind not in (_FIXED64, _BYTES):
            raise _invalid(what, "bytes of another kind")
        length, place = (8, place) if kind == _FIXED64 else _read_varint(content, place, what)
        if length > len(content) - place:
            raise _invalid(what, "fewer bytes than it states: it was cut off or changed")
        yield number, content[place : place + length]
        place += length


def _read_varint(content: bytes, place: int, what: str) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if place >= len(content):
            raise _invalid(what, "fewer bytes than it states: it was cut off or changed")
        byte = content[place]
        value, place = value | (byte & 0x7F) << shift, place + 1
        if byte < 0x80:
            return value, place
    raise _invalid(what, "bytes of another kind")


def _bytes_of(fields: dict[int, list[bytes | int]], number: int, what: str) -> bytes:
    value = fields.get(number, [b""])[-1]
    if not isinstance(value, bytes) or not value:
        raise _invalid(what, "none")
    return value


def _seal_object(content: bytes, what: str) -> bytes:
    stated = struct.unpack_from("<Q", content, 8)[0] if len(content) >= SEAL_HEADER else -1
    if not content.startswith(_SEAL_MAGIC) or stated != len(content):
        raise _invalid(f"{what} as SEAL writes it", f"{len(content):,} bytes of another form, or a part of them")
    return content


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _varint(len(content)) + content


def _number(number: int, value: float) -> bytes:
    return bytes([number << 3 | _FIXED64]) + struct.pack("<d", value)


def _varint(value: int) -> bytes:
    pieces = bytearray()
    while value >= 0x80:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*pieces, value])


def _invalid(expected: str, found: str) -> InputError:
    return InputError(expected=expected, found=found, next_command=_MEND)
