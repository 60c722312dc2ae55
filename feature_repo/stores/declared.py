"""Declared types of a view, and conversion of values to them, by the code that also converts online values."""

from collections.abc import Mapping

import pyarrow as pa
from feast import FeatureView, Field

from feature_repo.packed.encode import arrow_type, as_type, converts, is_list
from feature_repo.packed.schema import Column


def column_of(field: Field) -> Column:
    """Converts a feature or key field to a packed column."""
    return Column(field.name, str(field.dtype), getattr(field, "vector_length", 0) or 0)


def declared_types(view: FeatureView) -> dict[str, str]:
    """Maps each key and feature of a view to Feast's name of its type."""
    return {field.name: str(field.dtype) for field in (*view.entity_columns, *view.features)}


def as_declared(view: str, columns: Mapping[str, Column], table: pa.Table) -> pa.Table:
    """Casts features of a training set to their declared types, so that they equal the online values.

    Columns without a conversion (a text where a number is declared, for example) keep the type of the files;
    ``materialize`` rejects them. Maps, structs and nested lists are not converted either.

    Args:
        view: name of the view, for messages.
        columns: name in the table → declaration; columns without one are not converted.
        table: (rows,) features in the types of the files.

    Raises:
        InputError: a value does not fit its declared type.

    Example:
        >>> as_declared("trees", {"height": Column("height", "Float32")}, pa.table({"height": [0.1]})).schema.types
        [DataType(float)]
    """
    for place, name in enumerate(table.column_names):
        column, values = columns.get(name), table.column(place)
        if column is None or column.kind == "message" or _has_type(values, arrow_type(column)):
            continue
        if converts(values.type, column):
            table = table.set_column(place, name, as_type(view, column, values))
    return table


def _has_type(values: pa.ChunkedArray, declared_type: pa.DataType) -> bool:
    if not (is_list(values.type) and is_list(declared_type)):
        return values.type == declared_type
    has_null_elements = pa.types.is_floating(declared_type.value_type) and any(
        chunk.values.null_count for chunk in values.chunks
    )
    return values.type.value_type == declared_type.value_type and not has_null_elements
