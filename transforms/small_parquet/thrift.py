"""Structures in Thrift's compact protocol, in which the metadata of Parquet are written.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Sequence
from functools import lru_cache

TRUE, I32, I64, BYTES, LIST, STRUCT = 1, 5, 6, 8, 9, 12
"""Types of fields."""

Field = tuple[int, int, bytes]
"""Number, type and encoded value of a field of a structure."""

_SHORT = 15


def struct(*fields: Field) -> bytes:
    """A whole structure."""
    return fields_of(*fields) + b"\x00"


def fields_of(*fields: Field, after: int = 0) -> bytes:
    """Fields of a structure, whose numbers ascend by less than 16.

    Args:
        fields: the fields.
        after: number of the field before them; 0 at the beginning of the structure.
    """
    parts: list[bytes] = []
    for number, kind, value in fields:
        parts += bytes([(number - after) << 4 | kind]), value
        after = number
    return b"".join(parts)


def sequence(kind: int, elements: Sequence[bytes]) -> bytes:
    """A list of elements of one type."""
    count = len(elements)
    head = bytes([count << 4 | kind]) if count < _SHORT else bytes([_SHORT << 4 | kind]) + varint(count)
    return head + b"".join(elements)


def sized(content: bytes) -> bytes:
    """Bytes or a text."""
    return varint(len(content)) + content


@lru_cache(65_536)
def integer(value: int) -> bytes:
    """A number that is not negative (in zigzag code).

    >>> integer(1), integer(300)
    (b'\\x02', b'\\xd8\\x04')
    """
    return varint(value << 1)


def varint(value: int) -> bytes:
    """A number in groups of seven bits, the lowest first."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)
