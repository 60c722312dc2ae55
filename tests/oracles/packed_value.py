"""Reads a packed value by docs/packed_format.md, byte by byte and without numpy."""

import hashlib
import json
import struct
from typing import Any

_MASK = (1 << 64) - 1
_FIXED = {"Float64": "d", "Int64": "q", "UnixTimestamp": "q", "Float32": "f", "Int32": "i", "Bool": "B"}
_REGIONS = ("d", "q", "f", "i", "B")
_TEXTS = ("String", "Json", "Uuid", "TimeUuid", "Decimal")
_BLOBS = ("Bytes", "PdfBytes", "ImageBytes")
_NEVER = -(1 << 63)


def fingerprint(schema: str) -> int:
    """Returns the fingerprint of a schema's canonical JSON."""
    return struct.unpack("<I", hashlib.sha256(schema.encode()).digest()[:4])[0]


def checksum(body: bytes) -> int:
    """Returns the multilinear hash of the 32-bit words."""
    words = struct.unpack(f"<{len(body) // 4}I", body)
    total = _splitmix64(0) * len(words)
    for index, word in enumerate(words, start=1):
        total += _splitmix64(index) * word
    return (total & _MASK) >> 32


def _splitmix64(index: int) -> int:
    z = (index + 1) * 0x9E3779B97F4A7C15 & _MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK
    return z ^ z >> 31


def read(raw: bytes, schema: str) -> tuple[int | None, int | None, dict[str, Any]]:
    """Returns event and created time in microseconds, and the values by name; timestamps are microseconds.

    Raises:
        ValueError: if the bytes are not a value of this schema.
    """
    if len(raw) % 4 or checksum(raw[:-4]) != struct.unpack("<I", raw[-4:])[0]:
        raise ValueError("checksum")
    version, zeros, mark, event, created = struct.unpack_from("<B3sIqq", raw)
    if (version, zeros, mark) != (1, b"\0\0\0", fingerprint(schema)):
        raise ValueError("header")
    columns = [(name, dtype, length) for name, dtype, length in json.loads(schema)["columns"]]
    values: dict[str, Any] = {}
    offset = 24
    variable = [column for column in columns if not _is_fixed(column)]
    ends: tuple[int, ...] = ()
    for region in _REGIONS:
        for name, dtype, length in columns:
            if not _is_fixed((name, dtype, length)) or _FIXED[_inner(dtype)] != region:
                continue
            count = length or 1
            items = list(struct.unpack_from(f"<{count}{region}", raw, offset))
            offset += struct.calcsize(f"<{count}{region}")
            items = [bool(item) for item in items] if region == "B" else items
            values[name] = items if length else items[0]
        if region == "i":
            ends = struct.unpack_from(f"<{len(variable)}I", raw, offset)
            offset += 4 * len(variable)
    nulls = raw[offset : offset + (len(columns) + 7) // 8]
    offset += len(nulls)
    offset += -offset % 4
    for (name, dtype, _), start, end in zip(variable, (0, *ends), ends, strict=False):
        values[name] = _variable(dtype, raw[offset + start : offset + end])
    for index, (name, _, _) in enumerate(columns):
        if nulls[index // 8] >> index % 8 & 1:
            values[name] = None
    return None if event == _NEVER else event, None if created == _NEVER else created, values


def _inner(dtype: str) -> str:
    return dtype.split("(")[1].rstrip(")") if "(" in dtype else dtype


def _is_fixed(column: tuple[str, str, int]) -> bool:
    _, dtype, length = column
    return dtype in _FIXED or bool(length and dtype in ("Array(Float32)", "Array(Float64)"))


def _variable(dtype: str, raw: bytes) -> Any:
    inner = _inner(dtype)
    if "(" not in dtype:
        return raw.decode() if inner in _TEXTS else raw
    if inner in _FIXED:
        size = struct.calcsize(_FIXED[inner])
        items = struct.unpack(f"<{len(raw) // size}{_FIXED[inner]}", raw)
        return [bool(item) for item in items] if inner == "Bool" else list(items)
    if inner not in _TEXTS + _BLOBS:
        return raw
    if not raw:
        return []
    (count,) = struct.unpack_from("<I", raw)
    stops = struct.unpack_from(f"<{count}I", raw, 4)
    first = 4 + 4 * count
    pieces = [raw[first + start : first + stop] for start, stop in zip((0, *stops), stops, strict=False)]
    return [piece.decode() for piece in pieces] if inner in _TEXTS else pieces
