"""Thrift's compact protocol, as far as the footers and page headers of Parquet files need it.

A structure is read to a dictionary: number of a field → its type and value, in the order of the bytes, so that it can
be changed and written again. Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from collections.abc import Mapping
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)

Struct = dict[int, tuple[int, Any]]
"""Number of a field → its type and value."""


Fields = Mapping[int, Any]
"""Number of a field to decode → the fields of its structures to decode, the same way."""


class Raw(bytes):
    """The value of a field that is not decoded: written as it was read."""


def read_struct(data: bytes, place: int, fields: Fields | None = None) -> tuple[Struct, int]:
    """Reads a structure.

    Args:
        data: bytes that hold it.
        place: where it begins.
        fields: the fields to decode, others are ``Raw``; all if None.

    Returns:
        The structure, and the place after it.

    Raises:
        ValueError: the bytes are no such structure.
    """
    try:
        return _struct(data, place, fields)
    except (IndexError, KeyError, RecursionError) as error:
        raise ValueError("bytes that are no structure of Thrift") from error


def write_struct(struct: Struct) -> bytes:
    """Writes a structure; its fields in the order of their numbers.

    >>> read_struct(write_struct({1: (I32, -7), 4: (BINARY, b"x")}), 0)
    ({1: (5, -7), 4: (8, b'x')}, 6)
    """
    out = bytearray()
    _put_struct(out, struct)
    return bytes(out)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def _struct(data: bytes, place: int, fields: Fields | None) -> tuple[Struct, int]:
    struct: Struct = {}
    number = 0
    while head := data[place]:
        place += 1
        kind, delta = head & 15, head >> 4
        if delta:
            number += delta
        else:
            value, place = _varint(data, place)
            number = (value >> 1) ^ -(value & 1)
        if kind <= FALSE:
            struct[number] = kind, kind == TRUE
        elif fields is not None and number not in fields:
            end = _end(data, place, kind)
            struct[number] = kind, Raw(data[place:end])
            place = end
        else:
            content, place = _value(data, place, kind, None if fields is None else fields[number])
            struct[number] = kind, content
    return struct, place + 1


def _end(data: bytes, place: int, kind: int) -> int:
    """Where a value ends that is passed over."""
    if I16 <= kind <= I64:
        while data[place] > 127:
            place += 1
        return place + 1
    if kind == STRUCT:
        while head := data[place]:
            place += 1
            if not head >> 4:
                _, place = _varint(data, place)
            if head & 15 > FALSE:
                place = _end(data, place, head & 15)
        return place + 1
    if kind == LIST:
        head = data[place]
        place += 1
        count = head >> 4
        if count == 15:
            count, place = _varint(data, place)
        for _ in range(count):
            place = _end(data, place, head & 15)
        return place
    return _value(data, place, kind, None)[1]


def _value(data: bytes, place: int, kind: int, fields: Fields | None) -> tuple[Any, int]:  # noqa: PLR0911 - one for each type
    if I16 <= kind <= I64:
        value = data[place]
        if value < 128:
            return (value >> 1) ^ -(value & 1), place + 1
        value, place = _varint(data, place)
        return (value >> 1) ^ -(value & 1), place
    if kind == STRUCT:
        return _struct(data, place, fields)
    if kind == BINARY:
        length, place = _varint(data, place)
        end = place + length
        if end > len(data):
            raise ValueError("a text that is cut short")
        return data[place:end], end
    if kind in (LIST, SET):
        head = data[place]
        place += 1
        count, element = head >> 4, head & 15
        if count == 15:
            count, place = _varint(data, place)
        items = []
        for _ in range(count):
            item, place = _value(data, place, element, fields)
            items.append(item)
        return (element, items), place
    if kind in (TRUE, FALSE, BYTE):  # within a list, a truth is a byte
        return data[place], place + 1
    if kind == DOUBLE:
        return data[place : place + 8], place + 8
    raise ValueError(f"a value of the type {kind}, which Parquet does not use")


def _put_varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _put_struct(out: bytearray, struct: Struct) -> None:
    before = 0
    for number in sorted(struct):
        kind, value = struct[number]
        if kind <= FALSE:
            kind = TRUE if value else FALSE
        delta = number - before
        if 0 < delta < 16:
            out.append(delta << 4 | kind)
        else:
            out.append(kind)
            _put_varint(out, number << 1)
        before = number
        if kind > FALSE:
            _put_value(out, kind, value)
    out.append(0)


def _put_value(out: bytearray, kind: int, value: Any) -> None:
    if type(value) is Raw:
        out += value
    elif I16 <= kind <= I64:
        _put_varint(out, value << 1 if value >= 0 else (-value << 1) - 1)
    elif kind == STRUCT:
        _put_struct(out, value)
    elif kind == BINARY:
        _put_varint(out, len(value))
        out += value
    elif kind in (LIST, SET):
        element, items = value
        if len(items) < 15:
            out.append(len(items) << 4 | element)
        else:
            out.append(240 | element)
            _put_varint(out, len(items))
        for item in items:
            _put_value(out, element, item)
    elif kind == DOUBLE:
        out += value
    else:
        out.append(value)
