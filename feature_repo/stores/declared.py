"""The types that a view declares, and values of its files in them: the same conversion as on the way online."""

from collections.abc import Mapping

import pyarrow as pa
from feast import FeatureView, Field

from feature_repo.packed.encode import arrow_type, as_type, converts, is_list
from feature_repo.packed.schema import Column


def column_of(field: Field) -> Column:
    """A feature or key of a view as a packed column."""
    return Column(field.name, str(field.dtype), getattr(field, "vector_length", 0) or 0)


def declared_types(view: FeatureView) -> dict[str, str]:
    """Key or feature of a view → Feast's name of its type."""
    return {field.name: str(field.dtype) for field in (*view.entity_columns, *view.features)}


def as_declared(view: str, columns: Mapping[str, Column], table: pa.Table) -> pa.Table:
    """Features of a training set in their declared types, as they are online.

    What no conversion exists for (a text where a number is declared, say) stays as the files have it; ``materialize``
    refuses it. So do maps, structs and nested lists stay.

    Args:
        view: name, for messages.
        columns: name in the table → how it is declared; those that are not declared stay as they are.
        table: (rows,) features in the types of the files.

    Raises:
        InputError: a value does not fit its declared type.

    Example:
        >>> as_declared("trees", {"height": Column("height", "Float32")}, pa.table({"height": [0.1]})).schema.types
        [DataType(float)]
    """
    for place, name in enumerate(table.column_names):
        column, values = columns.get(name), table.column(place)
        if column is None or column.kind == "message" or _is_declared(values, arrow_type(column)):
            continue
        if converts(values.type, column):
            table = table.set_column(place, name, as_type(view, column, values))
    return table


def _is_declared(values: pa.ChunkedArray, wanted: pa.DataType) -> bool:
    if not (is_list(values.type) and is_list(wanted)):
        return values.type == wanted
    holes = pa.types.is_floating(wanted.value_type) and any(chunk.values.null_count for chunk in values.chunks)
    return values.type.value_type == wanted.value_type and not holes
