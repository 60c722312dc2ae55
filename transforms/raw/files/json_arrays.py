"""The records of an array of JSON without damage, decoded piece by piece, so that memory holds those of one batch."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

PIECE_BYTES = 1 << 20
"""Bytes that are decoded at once."""

_BOUNDARY = re.compile(rb"\}(\s*,\s*)(?=\{)")

UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises about damage, and about values of other types."""


def decoded_batches(data: bytes | bytearray, shape: Any, size: int) -> Iterator[tuple[list[Any], bool]]:
    """Yields the records of an array in batches of ``size``, and whether it is the last one, which may be empty.

    A place between two objects may be one within a text or a list. A piece that ends there is no array, so that
    decoding it fails, and all that follows is decoded at once: what is decoded has been cut between records.

    Args:
        data: the array, as UTF-8.
        shape: type of the records.
        size: records of a batch.

    Raises:
        MsgspecError, UnicodeDecodeError, RecursionError: a record is damaged or of another shape; after some of the
            batches before it.

    >>> list(decoded_batches(b'[{"n": 1}, {"n": 2}, {"n": 3}]', dict[str, int], 2))
    [([{'n': 1}, {'n': 2}], False), ([{'n': 3}], True)]
    """
    pending: list[Any] = []
    for rows in _decoded_pieces(data, msgspec.json.Decoder(list[shape]).decode):
        pending += rows
        while len(pending) > size:
            yield pending[:size], False
            pending = pending[size:]
    yield pending, True


def _decoded_pieces(data: bytes | bytearray, decode: Callable[[bytes | bytearray], list[Any]]) -> Iterator[list[Any]]:
    start, opening, view = 0, b"", memoryview(data)
    while boundary := _BOUNDARY.search(data, start + PIECE_BYTES):
        try:
            rows = decode(b"".join((opening, view[start : boundary.start(1)], b"]")))
        except UNDECODABLE:
            break
        yield rows
        start, opening = boundary.end(), b"["
    yield decode(b"".join((opening, view[start:])) if start else data)
