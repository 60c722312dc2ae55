"""Key conversion (``feature_repo.keys``) of polars columns."""

import polars as pl
import pyarrow as pa

from feature_repo.keys import conversion, key_values
from feature_repo.packed.key_columns import key_column

KEY_TYPES: dict[str, pl.DataType] = {
    **dict.fromkeys(("String", "Uuid", "TimeUuid", "Decimal"), pl.String()),
    "Int64": pl.Int64(),
    "Int32": pl.Int32(),
    "Bytes": pl.Binary(),
    "UnixTimestamp": pl.Datetime("us", "UTC"),
    "Bool": pl.Boolean(),
}
"""Declared type of an entity → polars type in which its keys are compared. Other types cannot be keys."""


def key_series(values: pl.Series, dtype: str, key: str, *, are_uuids: bool = False) -> pl.Series:
    """Converts a polars column to keys of a declared type; see ``feature_repo.keys``.

    Args:
        values: (rows,) of any type.
        dtype: Feast's name of the entity's type.
        key: name of the join key, for messages.
        are_uuids: whether the values are UUIDs of 16 bytes, as DuckDB writes them.

    Returns:
        (rows,) in ``KEY_TYPES[dtype]``; null for a missing key.

    Raises:
        InputError: a value or the column's type cannot be converted to that type.
    """
    conversion(dtype, key)
    target_type = KEY_TYPES[dtype]
    if values.dtype == target_type and dtype != "UnixTimestamp" and not are_uuids:
        return values
    if values.dtype == pl.Object:
        return pl.Series(values.name, key_values(values.to_list(), dtype, key), target_type)
    decoded = values.cast(pl.String) if isinstance(values.dtype, pl.Categorical | pl.Enum) else values
    arrow_values = decoded.to_arrow()
    if are_uuids:
        arrow_values = pa.ExtensionArray.from_storage(pa.uuid(), arrow_values.cast(pa.binary(16)))
    converted = pl.Series(values.name, key_column(arrow_values, dtype, key))
    return converted if converted.dtype == target_type else converted.cast(target_type)
