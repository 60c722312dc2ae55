"""How Feast's Redis store lays out keys and values, read and written without Feast.

One Redis hash per entity key: name = the key's serialization (version 3) and the project; fields = the murmur3 hash
of ``view:feature`` with a protobuf ``Value`` each, and ``_ts:view`` with the event time
(Feast's docs/specs/online_store_format.md). It changes together with the online store.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import mmh3
import numpy as np

from feature_repo.errors import StoreError

_STRING = 2  # feast.types.Value.ValueType
_NOT_A_TIME = -(1 << 63)


def entity_key(project: str, join_keys: Sequence[str], values: Sequence[str]) -> bytes:
    """Name of the hash of one entity key of texts; ``join_keys`` sorted, ``values`` in their order."""
    parts = [struct.pack("<I", len(join_keys))]
    for text in (*join_keys, *values):
        raw = text.encode()
        parts += [struct.pack("<II", _STRING, len(raw)), raw]
    return b"".join([*parts, project.encode()])


def feature_field(view: str, feature: str) -> bytes:
    """Field of one feature in its entity's hash."""
    return struct.pack("<I", mmh3.hash(f"{view}:{feature}", signed=False))


def time_field(view: str) -> bytes:
    """Field of the event time of one view's values."""
    return f"_ts:{view}".encode()


def decode_time(raw: bytes) -> float:
    """Seconds since 1970 UTC of a protobuf ``Timestamp``."""
    seconds = nanos = 0
    position = 0
    while position < len(raw):
        tag, position = _varint(raw, position)
        value, position = _varint(raw, position)
        if tag == 0x08:
            seconds = _signed(value)
        elif tag == 0x10:
            nanos = _signed(value)
    return seconds + nanos / 1e9


def decoder(dtype: str) -> Callable[[bytes], Any]:
    """A function from the bytes of one ``Value`` of this Feast type to Python or numpy; empty bytes give None.

    Raises:
        StoreError: (from the function) the bytes are not a value of this type.
    """
    number, read = _READERS[dtype]

    def decode(raw: bytes) -> Any:
        if not raw:
            return None
        try:
            tag, position = _varint(raw, 0)
            if tag >> 3 == number:
                return read(raw, position)
        except (IndexError, struct.error, ValueError):
            pass
        raise StoreError(
            expected=f"a value of type {dtype} in the online store",
            found=f"{raw[:16]!r}",
            next_command="python -m feature_repo materialize",
        )

    return decode


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
        shift += 7


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _read_int(raw: bytes, position: int) -> int:
    return _signed(_varint(raw, position)[0])


def _read_timestamp(raw: bytes, position: int) -> int | None:
    """Whole seconds; Feast writes a missing time as numpy's NaT, which is the smallest integer."""
    seconds = _read_int(raw, position)
    return None if seconds == _NOT_A_TIME else seconds


def _read_bool(raw: bytes, position: int) -> bool:
    return raw[position] != 0


def _read_text(raw: bytes, position: int) -> str:
    size, position = _varint(raw, position)
    return _exactly(raw, position, size).decode()


def _read_double(raw: bytes, position: int) -> float:
    return struct.unpack_from("<d", raw, position)[0]


def _read_float(raw: bytes, position: int) -> float:
    return struct.unpack_from("<f", raw, position)[0]


def _read_floats(raw: bytes, position: int) -> np.ndarray:
    size, position = _varint(raw, position)
    inner = _exactly(raw, position, size)
    if not inner:
        return np.empty(0, np.float32)
    tag, start = _varint(inner, 0)
    size, start = _varint(inner, start)
    if tag != 0x0A:
        raise ValueError("not a packed list")
    return np.frombuffer(_exactly(inner, start, size), dtype="<f4")


def _read_texts(raw: bytes, position: int) -> list[str]:
    size, position = _varint(raw, position)
    end = position + len(_exactly(raw, position, size))
    texts = []
    while position < end:
        tag, position = _varint(raw, position)
        size, position = _varint(raw, position)
        if tag != 0x0A:
            raise ValueError("not a list of texts")
        texts.append(_exactly(raw, position, size).decode())
        position += size
    return texts


def _exactly(raw: bytes, position: int, size: int) -> bytes:
    piece = raw[position : position + size]
    if len(piece) != size:
        raise ValueError("cut short")
    return piece


_READERS: dict[str, tuple[int, Callable[[bytes, int], Any]]] = {
    "String": (2, _read_text),
    "Int64": (4, _read_int),
    "Float64": (5, _read_double),
    "Float32": (6, _read_float),
    "Bool": (7, _read_bool),
    "UnixTimestamp": (8, _read_timestamp),
    "Array(String)": (12, _read_texts),
    "Array(Float32)": (16, _read_floats),
}
"""Feast type: number of its field in ``Value``, and a reader of what follows the tag."""
