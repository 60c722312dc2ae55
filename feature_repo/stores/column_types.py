"""Types of columns: what Arrow writes, what polars reads, and the one type that holds the values of several files.

Instants are microseconds, rounded down, whatever unit a file has; categories are texts.
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
"""Decimal digits that an integer can have."""

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
    """As polars reads a column of Parquet; None where it cannot, or where that is not known for sure."""
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
        fields = {field.name: own for field in dtype if (own := polars_type(field.type)) is not None}
        return pl.Struct(fields) if len(fields) == dtype.num_fields else None
    return None


@lru_cache(maxsize=1024)
def _is_known_zone(zone: str | None) -> bool:
    """Whether polars knows a zone; offsets such as ``+05:30`` it does not, and ends the process's query."""
    if zone in (None, "UTC"):
        return True
    try:
        pl.Series([], dtype=pl.Datetime("us", zone))
    except pl.exceptions.PolarsError:
        return False
    return True


def readable(dtype: pa.DataType) -> pa.DataType:  # noqa: PLR0911 - one line a type
    """The nearest Arrow type that polars takes: zones that it does not know are UTC, which moves no instant."""
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
    """The type in which a column of one file is used: microseconds for every instant, texts for categories."""
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
    """The type that holds the values of two settled types; None if there is none.

    Integers become the wider of them, integers with floats Float64, decimals as many digits as both need, structs
    have the fields of both, a time without a zone is UTC, and a column that is null throughout has any type.

    Example:
        >>> unified(pl.Int32(), pl.Float32())
        Float64
    """
    if second in (first, pl.Null):
        return first
    if first == pl.Null:
        return second
    if first.is_numeric() and second.is_numeric():
        return _number(first, second)
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
        return _struct(first, second)
    if isinstance(first, pl.Map) and isinstance(second, pl.Map):
        key = unified(instance(first.key), instance(second.key))
        item = unified(instance(first.value), instance(second.value))
        return None if key is None or item is None else pl.Map(key, item)
    return None


def _number(first: pl.DataType, second: pl.DataType) -> pl.DataType:
    kinds = type(first), type(second)
    if isinstance(first, pl.Decimal) and isinstance(second, pl.Decimal):
        scale = max(first.scale, second.scale)
        whole = max(first.precision - first.scale, second.precision - second.scale)
        return pl.Decimal(min(whole + scale, _MOST_DIGITS), scale)
    for one, other in ((first, second), (second, first)):
        if isinstance(one, pl.Decimal) and type(other) in _DIGITS:
            whole = max(one.precision - one.scale, _DIGITS[type(other)])
            return pl.Decimal(min(whole + one.scale, _MOST_DIGITS), one.scale)
    for family in (_SIGNED, _UNSIGNED):
        if kinds[0] in family and kinds[1] in family:
            return max(kinds, key=family.index)()
    if all(kind in _DIGITS for kind in kinds):  # one with a sign and one without
        digits = max(_DIGITS[kinds[0]], _DIGITS[kinds[1]])
        return next((kind() for kind in _SIGNED if _DIGITS[kind] > digits), pl.Int64())
    return pl.Float64()


def _struct(first: pl.Struct, second: pl.Struct) -> pl.DataType | None:
    fields = {field.name: instance(field.dtype) for field in first.fields}
    for field in second.fields:
        there = fields.get(field.name)
        together = instance(field.dtype) if there is None else unified(there, instance(field.dtype))
        if together is None:
            return None
        fields[field.name] = together
    return pl.Struct(fields)


def cast(column: pl.Expr, have: pl.DataType, want: pl.DataType) -> pl.Expr:
    """A column of one file in the type of the whole table; instants are rounded down, and floats that
    are to be integers have to be whole.

    Args:
        column: as it is read.
        have: its type.
        want: what ``unified`` gave for it and others.
    """
    if have == want:
        return column
    if isinstance(have, pl.Struct) and isinstance(want, pl.Struct):
        there = {field.name: instance(field.dtype) for field in have.fields}
        fields = [
            cast(column.struct.field(field.name), there[field.name], instance(field.dtype)).alias(field.name)
            if field.name in there
            else pl.lit(None, field.dtype).alias(field.name)
            for field in want.fields
        ]
        return pl.when(column.is_not_null()).then(pl.struct(fields))
    if isinstance(have, pl.List | pl.Array) and isinstance(want, pl.List) and _has_struct(want):
        as_list = column if isinstance(have, pl.List) else column.arr.to_list()
        return as_list.list.eval(cast(pl.element(), _inner(have), _inner(want)))
    if have.is_float() and want.is_integer():
        return _whole(column, have, want)
    if have == pl.String and want == pl.Date:
        return column.str.to_date("%Y-%m-%d", strict=False)
    return column.cast(want)


def _whole(column: pl.Expr, have: pl.DataType, want: pl.DataType) -> pl.Expr:
    """Floats as integers; a fraction, or a float that stands for several integers, fails the query by its value."""
    is_whole = (column.abs() <= EXACT[4 if have == pl.Float32 else 8]) & (column == column.floor())
    whole = pl.when(is_whole).then(column.cast(want, strict=False))
    others = pl.when(~is_whole).then(column).cast(pl.String).cast(want)
    return pl.coalesce(whole, others)


def _has_struct(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Struct) or (isinstance(dtype, pl.List | pl.Array) and _has_struct(_inner(dtype)))


def _inner(dtype: pl.List | pl.Array) -> pl.DataType:
    return instance(dtype.inner)


def instance(dtype: Any) -> pl.DataType:
    """Polars gives a type's class where an instance would say nothing more."""
    return dtype() if isinstance(dtype, type) else dtype


def small(table: pa.Table) -> pa.Table:
    """Texts and lists in Arrow's usual types, as every Feast store gives them, unless they hold too much for those."""
    for place, item in enumerate(table.schema):
        if pa.types.is_large_list(item.type) or pa.types.is_list(item.type):
            table = table.set_column(place, item, _without_offsets(table.column(place)))
    schema = pa.schema([item.with_type(_small_type(item.type)) for item in table.schema])
    try:
        return table.cast(schema)
    except pa.ArrowInvalid:
        return table


def _without_offsets(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists that are all empty made anew: polars 2.1 gives them offsets into elements that it leaves out, and Arrow
    refuses to look at these.
    """
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
