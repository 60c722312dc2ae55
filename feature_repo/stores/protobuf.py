"""Conversions between packed columns and Feast's protobuf values."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from feast import FeatureView
from feast.feature_view import DUMMY_ENTITY_ID
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import (
    VALUE_TYPE_TO_PROTO_VALUE_MAP,
    feast_value_type_to_python_type,
    python_values_to_proto_values,
)
from feast.types import FeastType
from feast.value_type import ValueType

from feature_repo.packed.decode import Block, Mixed
from feature_repo.packed.encode import arrow_type
from feature_repo.packed.schema import Column, Schema

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NULL_TIME = int(np.iinfo(np.int64).min)
_BYTE_FIELDS = {
    "PdfBytes": "bytes_val",
    "ImageBytes": "bytes_val",
}


def schema_of(table: FeatureView) -> Schema:
    """Returns the packed schema of a view's features."""
    return Schema.of(table.name, [(f.name, str(f.dtype), f.vector_length or 0) for f in table.features])


def key_types(table: FeatureView) -> dict[str, str]:
    """Maps join keys to Feast's names of their types, sorted by name; empty for a view without keys."""
    columns = sorted(table.entity_columns, key=lambda column: column.name)
    return {column.name: str(column.dtype) for column in columns if column.name != DUMMY_ENTITY_ID}


def attribute(column: Column) -> str:
    """Returns the name of the protobuf ``Value`` field for the column's type."""
    if column.dtype in _BYTE_FIELDS:
        return _BYTE_FIELDS[column.dtype]
    return VALUE_TYPE_TO_PROTO_VALUE_MAP[_value_type(column)]


def from_values(schema: Schema, column: Column, values: Sequence[Value | None]) -> pa.Array:
    """Converts protobuf values to (rows,) Arrow values for ``encode``."""
    plain = [_plain(column, value) for value in values]
    target_type = arrow_type(column)
    if column.element == "UnixTimestamp" and column.kind == "numbers":
        scaled = [None if value is None else [_in_microseconds(item) for item in value] for value in plain]
        return pa.array(scaled, pa.list_(pa.int64())).cast(target_type)
    if column.dtype == "UnixTimestamp":
        return pa.array([_in_microseconds(value) for value in plain], pa.int64()).cast(target_type)
    return pa.array(plain, target_type)


def to_values(block: Block | Mixed, column: Column) -> list[Value]:
    """Converts a column to (rows,) protobuf values; an empty ``Value`` for null."""
    if column.kind == "message":
        return [Value() if raw is None else Value.FromString(raw) for raw in block.objects(column.name)]
    name = attribute(column)
    if column.element is None:
        rows = raw_values(block, column)
        if column.dtype == "UnixTimestamp":
            rows = [None if row is None else row // 1_000_000 for row in rows]
        return [Value() if row is None else Value(**{name: row}) for row in rows]
    scale = 1_000_000 if column.element == "UnixTimestamp" else 0
    out = []
    for row in raw_values(block, column):
        value = Value()
        if row is not None:
            field = getattr(value, name)
            field.SetInParent()
            field.val.extend([item // scale for item in row] if scale else row)
        out.append(value)
    return out


def unwrapped(value: Any) -> Any:
    """Unwraps a protobuf ``Value``; returns any other object unchanged."""
    if not isinstance(value, Value):
        return value
    kind = value.WhichOneof("val")
    if kind is None or kind == "null_val":
        return None
    content = getattr(value, kind)
    return None if kind == "unix_timestamp_val" and content == _NULL_TIME else content


def raw_values(block: Block | Mixed, column: Column) -> list[Any]:
    """Decodes a column to (rows,) Python values; timestamps are integers of microseconds, null is None."""
    if column.kind == "message":
        return block.objects(column.name)
    if column.is_fixed:
        values = block.numbers(column.name).tolist()
        is_null = block.is_null(column.name)
        if is_null.any():
            return [None if is_missing else value for value, is_missing in zip(values, is_null.tolist(), strict=True)]
        return values
    values = block.objects(column.name)
    return [None if v is None else v.tolist() for v in values] if column.kind == "numbers" else values


def python_values(block: Block | Mixed, column: Column) -> list[Any]:
    """Converts a column to (rows,) Python values as in Feast's ``to_dict``; timestamps keep their microseconds."""
    if column.kind == "message":
        return [None if raw is None else unpacked(raw) for raw in block.objects(column.name)]
    rows = raw_values(block, column)
    convert = _PYTHON.get(column.element or column.dtype)
    if column.element is None:
        return rows if convert is None else [None if row is None else convert(row) for row in rows]
    container = set if column.dtype.startswith("Set(") else list
    if convert is None and container is list:
        return rows
    convert = convert or (lambda item: item)
    return [None if row is None else container(convert(item) for item in row) for row in rows]


def unpacked(raw: bytes) -> Any:
    """Converts a serialized ``Value`` to the Python object that Feast makes of it: a dict, a list of lists …"""
    return feast_value_type_to_python_type(Value.FromString(raw))


def messages(table: FeatureView, column: Column, values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Serializes a column of maps, structs or nested lists to (rows,) protobuf values."""
    if pa.types.is_binary(values.type):
        return values
    python = values.to_pylist()
    if pa.types.is_map(values.type):
        python = [None if row is None else dict(row) for row in python]
    if pa.types.is_struct(values.type) and column.dtype.startswith("Map"):
        python = [None if row is None else present(row) for row in python]
    dtype: FeastType = next(field.dtype for field in table.features if field.name == column.name)
    protos = python_values_to_proto_values(python, dtype.to_value_type())
    return pa.array([proto.SerializeToString() if proto.WhichOneof("val") else None for proto in protos], pa.binary())


def present(row: Mapping[str, Any]) -> dict[str, Any]:
    """Converts a struct to a map by dropping its null fields: an Arrow struct has the fields of all rows."""
    return {name: value for name, value in row.items() if value is not None}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def moment(microseconds: int) -> datetime:
    """Converts microseconds since 1970 to a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


_PYTHON: dict[str, Callable[[Any], Any]] = {
    "UnixTimestamp": moment,
    "Json": _json,
    "Uuid": uuid.UUID,
    "TimeUuid": uuid.UUID,
    "Decimal": Decimal,
}


def _value_type(column: Column) -> ValueType:
    names = {"Float64": "DOUBLE", "Float32": "FLOAT", "UnixTimestamp": "UNIX_TIMESTAMP", "TimeUuid": "TIME_UUID"}
    names |= {"PdfBytes": "BYTES", "ImageBytes": "BYTES"}
    inner = column.element or column.dtype
    suffix = "_LIST" if column.dtype.startswith("Array(") else "_SET" if column.dtype.startswith("Set(") else ""
    return ValueType[names.get(inner, inner.upper()) + suffix]


def _plain(column: Column, value: Value | None) -> Any:
    kind = None if value is None else value.WhichOneof("val")
    if value is None or kind is None or kind == "null_val":
        return None
    if column.kind == "message":
        return value.SerializeToString()
    content = getattr(value, kind)
    return list(content.val) if hasattr(content, "val") else content


def _in_microseconds(seconds: int | None) -> int | None:
    """Converts seconds to microseconds. Feast encodes a missing time as the smallest integer."""
    return None if seconds is None or seconds == _NULL_TIME else seconds * 1_000_000
