"""Column types: from Arrow to polars, and the common type of one column in several files.

Instants are microseconds, rounded down, whatever the unit of a file; categories are read as texts.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from feature_repo.keys import EXACT

MICROSECONDS = pl.Datetime("us", "UTC")

_MOST_DIGITS = 38
_DIGITS: dict[Any, int] = {
    pl.Int8: 3,
    pl.UInt8: 3,
    pl.Int16: 5,
    pl.UInt16: 5,
    pl.Int32: 10,
    pl.UInt32: 10,
    pl.Int64: 19,
    pl.UInt64: 20,
}
"""Maximum number of decimal digits of each integer type."""

_SIGNED = (pl.Int8, pl.Int16, pl.Int32, pl.Int64)
_UNSIGNED = (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)

_FLAT: dict[pa.DataType, pl.DataType] = {
    pa.bool_(): pl.Boolean(),
    pa.int8(): pl.Int8(),
    pa.int16(): pl.Int16(),
    pa.int32(): pl.Int32(),
    pa.int64(): pl.Int64(),
    pa.uint8(): pl.UInt8(),
    pa.uint16(): pl.UInt16(),
    pa.uint32(): pl.UInt32(),
    pa.uint64(): pl.UInt64(),
    pa.float32(): pl.Float32(),
    pa.float64(): pl.Float64(),
    pa.string(): pl.String(),
    pa.large_string(): pl.String(),
    pa.string_view(): pl.String(),
    pa.binary(): pl.Binary(),
    pa.large_binary(): pl.Binary(),
    pa.float16(): pl.Float16(),
    pa.date32(): pl.Date(),
    pa.null(): pl.Null(),
}


def polars_type(dtype: pa.DataType) -> pl.DataType | None:  # noqa: PLR0911 - one line a type
    """Returns the type in which polars reads a Parquet column; None if it cannot, or if that is uncertain."""
    if dtype in _FLAT:
        return _FLAT[dtype]
    if pa.types.is_timestamp(dtype):
        return pl.Datetime("ms" if dtype.unit == "s" else dtype.unit, dtype.tz) if _is_known_zone(dtype.tz) else None
    if pa.types.is_time(dtype):
        return pl.Time()
    if pa.types.is_fixed_size_binary(dtype):
        return pl.Binary()
    if pa.types.is_duration(dtype) and dtype.unit != "s":
        return pl.Duration(dtype.unit)
    if pa.types.is_decimal128(dtype):
        return pl.Decimal(dtype.precision, dtype.scale)
    if pa.types.is_dictionary(dtype):
        return pl.Categorical() if pl.String == polars_type(dtype.value_type) else None
    if pa.types.is_map(dtype):
        key, item = polars_type(dtype.key_type), polars_type(dtype.item_type)
        return None if key is None or item is None else pl.Map(key, item)
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype):
        item = polars_type(dtype.value_type)
        if item is None:
            return None
        return pl.Array(item, dtype.list_size) if pa.types.is_fixed_size_list(dtype) else pl.List(item)
    if pa.types.is_struct(dtype):
        fields = {field.name: field_type for field in dtype if (field_type := polars_type(field.type)) is not None}
        return pl.Struct(fields) if len(fields) == dtype.num_fields else None
    return None


@lru_cache(maxsize=1024)
def _is_known_zone(zone: str | None) -> bool:
    """Whether polars knows a time zone. It does not know offsets such as ``+05:30``, on which a query would fail."""
    if zone in (None, "UTC"):
        return True
    try:
        pl.Series([], dtype=pl.Datetime("us", zone))
    except pl.exceptions.PolarsError:
        return False
    return True


def readable(dtype: pa.DataType) -> pa.DataType:  # noqa: PLR0911 - one line a type
    """Returns the nearest Arrow type that polars can read. Unknown time zones become UTC; instants do not change."""
    if polars_type(dtype) is not None:
        return dtype
    if pa.types.is_timestamp(dtype):
        return pa.timestamp(dtype.unit, "UTC")
    if pa.types.is_decimal(dtype):
        return pa.decimal128(_MOST_DIGITS, min(dtype.scale, _MOST_DIGITS))
    if pa.types.is_dictionary(dtype):
        return readable(dtype.value_type)
    if pa.types.is_map(dtype):
        return pa.map_(readable(dtype.key_type), readable(dtype.item_type))
    if pa.types.is_struct(dtype):
        return pa.struct([field.with_type(readable(field.type)) for field in dtype])
    if pa.types.is_fixed_size_list(dtype):
        return pa.list_(readable(dtype.value_type), dtype.list_size)
    if hasattr(dtype, "value_type"):  # lists of every kind
        return pa.list_(readable(dtype.value_type))
    if isinstance(dtype, pa.BaseExtensionType):
        return readable(dtype.storage_type)
    if pa.types.is_duration(dtype):
        return pa.duration("us")
    return pa.timestamp("ms") if pa.types.is_date(dtype) else dtype


def settled(dtype: pl.DataType) -> pl.DataType:  # noqa: PLR0911 - one line a type
    """Returns the normalized type of a column of one file: microseconds for instants, texts for categories."""
    if isinstance(dtype, pl.Datetime):
        return pl.Datetime("us", dtype.time_zone)
    if isinstance(dtype, pl.Duration):
        return pl.Duration("us")
    if isinstance(dtype, pl.Float16):
        return pl.Float32()
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.String()
    if isinstance(dtype, pl.List):
        return pl.List(settled(_inner(dtype)))
    if isinstance(dtype, pl.Array):
        return pl.Array(settled(_inner(dtype)), dtype.size)
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: settled(instance(field.dtype)) for field in dtype.fields})
    return dtype


def unified(first: pl.DataType, second: pl.DataType) -> pl.DataType | None:  # noqa: PLR0911 - one line a type
    """Returns the common type of two normalized types (see ``settled``); None if there is none.

    Integers become the wider type, integers with floats Float64, decimals get the digits that both need, structs get
    the fields of both, a time without a zone is UTC, and a column that is entirely null adopts the other type.

    Example:
        >>> unified(pl.Int32(), pl.Float32())
        Float64
    """
    if second in (first, pl.Null):
        return first
    if first == pl.Null:
        return second
    if first.is_numeric() and second.is_numeric():
        return _common_number(first, second)
    if isinstance(first, pl.Datetime | pl.Date) and isinstance(second, pl.Datetime | pl.Date):
        zones = [dtype.time_zone for dtype in (first, second) if isinstance(dtype, pl.Datetime)]
        return pl.Datetime("us", zones[0] if len(set(zones)) == 1 else "UTC")
    if isinstance(first, pl.List | pl.Array) and isinstance(second, pl.List | pl.Array):
        item = unified(_inner(first), _inner(second))
        if item is None:
            return None
        sizes = {getattr(dtype, "size", None) for dtype in (first, second)}
        return pl.Array(item, sizes.pop()) if len(sizes) == 1 and None not in sizes else pl.List(item)
    if isinstance(first, pl.Struct) and isinstance(second, pl.Struct):
        return _common_struct(first, second)
    if isinstance(first, pl.Map) and isinstance(second, pl.Map):
        key = unified(instance(first.key), instance(second.key))
        item = unified(instance(first.value), instance(second.value))
        return None if key is None or item is None else pl.Map(key, item)
    return None


def _common_number(first: pl.DataType, second: pl.DataType) -> pl.DataType:
    kinds = type(first), type(second)
    if isinstance(first, pl.Decimal) and isinstance(second, pl.Decimal):
        scale = max(first.scale, second.scale)
        integer_digits = max(first.precision - first.scale, second.precision - second.scale)
        return pl.Decimal(min(integer_digits + scale, _MOST_DIGITS), scale)
    for decimal, integer in ((first, second), (second, first)):
        if isinstance(decimal, pl.Decimal) and type(integer) in _DIGITS:
            integer_digits = max(decimal.precision - decimal.scale, _DIGITS[type(integer)])
            return pl.Decimal(min(integer_digits + decimal.scale, _MOST_DIGITS), decimal.scale)
    for family in (_SIGNED, _UNSIGNED):
        if kinds[0] in family and kinds[1] in family:
            return max(kinds, key=family.index)()
    if all(kind in _DIGITS for kind in kinds):  # signed with unsigned
        digits = max(_DIGITS[kinds[0]], _DIGITS[kinds[1]])
        return next((kind() for kind in _SIGNED if _DIGITS[kind] > digits), pl.Int64())
    return pl.Float64()


def _common_struct(first: pl.Struct, second: pl.Struct) -> pl.DataType | None:
    fields = {field.name: instance(field.dtype) for field in first.fields}
    for field in second.fields:
        known_type = fields.get(field.name)
        common = instance(field.dtype) if known_type is None else unified(known_type, instance(field.dtype))
        if common is None:
            return None
        fields[field.name] = common
    return pl.Struct(fields)


def cast(column: pl.Expr, have: pl.DataType, want: pl.DataType) -> pl.Expr:
    """Casts a column of one file to the type of the whole table. Instants are rounded down; floats that
    become integers must be whole numbers.

    Args:
        column: expression of the column.
        have: polars type of the column in the file.
        want: common type from ``unified``.
    """
    if have == want:
        return column
    if isinstance(have, pl.Struct) and isinstance(want, pl.Struct):
        source_fields = {field.name: instance(field.dtype) for field in have.fields}
        fields = [
            cast(column.struct.field(field.name), source_fields[field.name], instance(field.dtype)).alias(field.name)
            if field.name in source_fields
            else pl.lit(None, field.dtype).alias(field.name)
            for field in want.fields
        ]
        return pl.when(column.is_not_null()).then(pl.struct(fields))
    if isinstance(have, pl.List | pl.Array) and isinstance(want, pl.List) and _has_struct(want):
        as_list = column if isinstance(have, pl.List) else column.arr.to_list()
        return as_list.list.eval(cast(pl.element(), _inner(have), _inner(want)))
    if have.is_float() and want.is_integer():
        return _cast_to_integer(column, have, want)
    if have == pl.String and want == pl.Date:
        return column.str.to_date("%Y-%m-%d", strict=False)
    return column.cast(want)


def _cast_to_integer(column: pl.Expr, have: pl.DataType, want: pl.DataType) -> pl.Expr:
    """Casts floats to integers. A fraction, or a float beyond exact integers, makes the query fail with its value."""
    is_whole = (column.abs() <= EXACT[4 if have == pl.Float32 else 8]) & (column == column.floor())
    integers = pl.when(is_whole).then(column.cast(want, strict=False))
    rejected = pl.when(~is_whole).then(column).cast(pl.String).cast(want)
    return pl.coalesce(integers, rejected)


def _has_struct(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Struct) or (isinstance(dtype, pl.List | pl.Array) and _has_struct(_inner(dtype)))


def _inner(dtype: pl.List | pl.Array) -> pl.DataType:
    return instance(dtype.inner)


def instance(dtype: Any) -> pl.DataType:
    """Returns an instance of a polars type, which may be given as its class."""
    return dtype() if isinstance(dtype, type) else dtype


def small(table: pa.Table) -> pa.Table:
    """Casts texts and lists from Arrow's large types to the usual ones, unless the data exceeds their capacity."""
    for place, item in enumerate(table.schema):
        if pa.types.is_large_list(item.type) or pa.types.is_list(item.type):
            table = table.set_column(place, item, _rebuild_empty_lists(table.column(place)))
    schema = pa.schema([item.with_type(_small_type(item.type)) for item in table.schema])
    try:
        return table.cast(schema)
    except pa.ArrowInvalid:
        return table


def _rebuild_empty_lists(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    """Rebuilds chunks whose lists are all empty: polars 2.1 exports them with invalid offsets, which Arrow rejects."""
    chunks = [
        type(chunk).from_arrays(
            pa.array(np.zeros(len(chunk) + 1, np.int64)).cast(chunk.offsets.type),
            pa.array([], chunk.type.value_type),
            mask=chunk.is_null(),
        )
        if len(chunk) and chunk.offsets[0] == chunk.offsets[-1]
        else chunk
        for chunk in lists.chunks
    ]
    return pa.chunked_array(chunks, lists.type)


def _small_type(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(dtype) or pa.types.is_dictionary(dtype):
        return pa.string()
    if pa.types.is_large_binary(dtype):
        return pa.binary()
    if pa.types.is_map(dtype):
        return pa.map_(_small_type(dtype.key_type), _small_type(dtype.item_type))
    if pa.types.is_struct(dtype):
        return pa.struct([field.with_type(_small_type(field.type)) for field in dtype])
    return pa.list_(_small_type(dtype.value_type)) if pa.types.is_large_list(dtype) else dtype
