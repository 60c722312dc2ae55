"""``feature_repo.keys`` for polars columns."""

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
"""Declared type of an entity → how its keys are compared; no other type can be a key."""


def key_series(values: pl.Series, dtype: str, key: str, *, are_uuids: bool = False) -> pl.Series:
    """A polars column as keys of a declared type; see ``feature_repo.keys``.

    Args:
        values: (rows,) of any type.
        dtype: Feast's name of the entity's type.
        key: name of the join key, for messages.
        are_uuids: whether they are UUIDs of 16 bytes, as DuckDB writes them.

    Returns:
        (rows,) in ``KEY_TYPES[dtype]``; null for a missing key.

    Raises:
        InputError: a value, or the column's type, cannot be a key of that type.
    """
    conversion(dtype, key)
    wanted = KEY_TYPES[dtype]
    if values.dtype == wanted and dtype != "UnixTimestamp" and not are_uuids:
        return values
    if values.dtype == pl.Object:
        return pl.Series(values.name, key_values(values.to_list(), dtype, key), wanted)
    whole = values.cast(pl.String) if isinstance(values.dtype, pl.Categorical | pl.Enum) else values
    given = whole.to_arrow()
    if are_uuids:
        given = pa.ExtensionArray.from_storage(pa.uuid(), given.cast(pa.binary(16)))
    converted = pl.Series(values.name, key_column(given, dtype, key))
    return converted if converted.dtype == wanted else converted.cast(wanted)
