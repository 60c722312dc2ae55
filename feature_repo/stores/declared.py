"""The types that a view declares, and values of its files in them: the same conversion as on the way online."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl
import pyarrow as pa
from feast import FeatureView, Field

from feature_repo.packed.encode import arrow_type, as_type
from feature_repo.packed.schema import Column
from feature_repo.stores.column_types import MICROSECONDS

_COMPARED: dict[str, pl.DataType] = {
    "String": pl.String(),
    "Int64": pl.Int64(),
    "Int32": pl.Int32(),
    "Float64": pl.Float64(),
    "Float32": pl.Float32(),
    "UnixTimestamp": MICROSECONDS,
}


def column_of(field: Field) -> Column:
    """A feature or key of a view as a packed column."""
    return Column(field.name, str(field.dtype), getattr(field, "vector_length", 0) or 0)


def declared_types(view: FeatureView) -> dict[str, pl.DataType]:
    """Column of a view → its declared type, of those that decide how keys are compared and what a path means."""
    fields = (*view.entity_columns, *view.features)
    return {field.name: _COMPARED[str(field.dtype)] for field in fields if str(field.dtype) in _COMPARED}


def as_declared(view: str, columns: Mapping[str, Column], table: pa.Table) -> pa.Table:
    """Features of a training set in their declared types, as they are online.

    Numbers and booleans become the declared numbers or texts, whole numbers of a declared time are seconds since 1970.
    What cannot become the declared type (a time where a
    text is declared, say) stays as the files have it; ``materialize`` refuses it.

    Args:
        view: name, for messages.
        columns: name in the table → how it is declared; those that are not declared stay as they are.
        table: (rows,) features in the types of the files.

    Raises:
        InputError: a number does not fit its declared type.

    Example:
        >>> as_declared("trees", {"height": Column("height", "Float32")}, pa.table({"height": [0.1]})).schema.types
        [DataType(float)]
    """
    for place, name in enumerate(table.column_names):
        column, have = columns.get(name), _shape(table.schema.field(place).type)
        if column is None or column.kind == "message":
            continue
        want = _shape(arrow_type(column))
        if have.is_list == want.is_list and have.dtype != want.dtype and _becomes(have.dtype, want.dtype):
            table = table.set_column(place, name, as_type(view, column, table.column(place)))
    return table


def _becomes(have: pa.DataType, want: pa.DataType) -> bool:
    if pa.types.is_timestamp(want):
        return pa.types.is_integer(have)  # seconds since 1970
    is_number = any(is_kind(have) for is_kind in _NUMBERS)
    return (is_number or pa.types.is_null(have)) and any(is_kind(want) for is_kind in (*_NUMBERS, pa.types.is_string))


_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)


class _Shape(NamedTuple):
    is_list: bool
    dtype: pa.DataType


def _shape(dtype: pa.DataType) -> _Shape:
    """Whether a type is a list, and the type of its elements."""
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    is_list = any(is_kind(dtype) for is_kind in kinds)
    return _Shape(is_list, dtype.value_type if is_list else dtype)
