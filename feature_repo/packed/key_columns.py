"""Key conversion (``feature_repo.keys``) of whole Arrow columns."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.keys import EXACT, FIRST_SECOND, LAST_SECOND, conversion, key_value, refusal

_TARGET_TYPES = {
    "Int64": pa.int64(),
    "Int32": pa.int32(),
    "Bytes": pa.binary(),
    "UnixTimestamp": pa.timestamp("us", "UTC"),
    "Bool": pa.bool_(),
}
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SHORT_INTEGER = r"^-?0*[0-9]{1,18}$"


def key_column(values: pa.Array | pa.ChunkedArray, dtype: str, key: str = "key") -> pa.Array:
    """Converts a column to keys; ``feature_repo.keys.key_value`` defines which values are valid.

    Args:
        values: (rows,) of any type.
        dtype: Feast's name of the entity's type.
        key: name of the join key, for messages.

    Returns:
        (rows,) of strings, int64, int32, binary, timestamps in microseconds (UTC) or booleans; null for a missing key.

    Raises:
        InputError: a value or the column's type cannot be converted to that type.
    """
    conversion(dtype, key)
    combined = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(combined.type):
        combined = _cast_views(combined.dictionary).take(combined.indices)
    combined = _cast_views(combined)
    target_type, source_type = _TARGET_TYPES.get(dtype, pa.string()), combined.type
    if source_type == target_type and dtype != "UnixTimestamp":
        return combined
    convert = _conversion_from(source_type, dtype)
    if pa.types.is_null(source_type) or (len(combined) and convert is None and _all_missing(combined)):
        return pa.nulls(len(combined), target_type)
    if convert is None:
        raise refusal(key, dtype, f"a column of the type {source_type}")
    return convert(combined, dtype, key)


def key_bytes(values: pa.Array | pa.ChunkedArray, dtype: str, key: str = "key") -> pa.Array:
    """Converts a column to keys as bytes (``large_binary``), as in the names of packed values."""
    converted = key_column(values, dtype, key)
    if pa.types.is_timestamp(converted.type):
        converted = pc.divide(converted.cast(pa.int64()), 1_000_000)
    if pa.types.is_boolean(converted.type):
        converted = converted.cast(pa.uint8())
    if pa.types.is_integer(converted.type):
        converted = converted.cast(pa.string())
    return converted.cast(pa.large_binary())


def _all_missing(values: pa.Array) -> bool:
    """Whether all values are missing, so that the type is irrelevant."""
    return bool(pc.all(pc.is_null(values, nan_is_null=True)).as_py())


def _conversion_from(source_type: pa.DataType, dtype: str) -> Callable[[pa.Array, str, str], pa.Array] | None:
    """Returns the conversion from a column's type to a declared type; None if there is none."""
    return _CONVERSIONS.get(dtype, _TO_TEXT).get(_kind(source_type))


def _kind(have: pa.DataType) -> str:
    kinds = pa.types
    tests = {
        "text": (kinds.is_string, kinds.is_large_string),
        "blob": (kinds.is_binary, kinds.is_large_binary, kinds.is_fixed_size_binary),
        "integer": (kinds.is_integer,),
        "float": (kinds.is_floating,),
        "decimal": (kinds.is_decimal,),
        "time": (kinds.is_timestamp, kinds.is_date),
        "uuid": (lambda dtype: str(dtype).startswith("extension<arrow.uuid"),),
    }
    return next((kind for kind, are in tests.items() if any(is_it(have) for is_it in are)), "other")


def _cast_views(values: pa.Array) -> pa.Array:
    """Casts string and binary views to plain types, which more Arrow functions support."""
    if pa.types.is_string_view(values.type):
        return values.cast(pa.string())
    return values.cast(pa.binary()) if pa.types.is_binary_view(values.type) else values


def _cast(values: pa.Array, dtype: str, key: str) -> pa.Array:
    target_type = _TARGET_TYPES.get(dtype, pa.string())
    if pa.types.is_fixed_size_binary(values.type):
        values = values.cast(pa.binary())
    try:
        return values.cast(target_type)
    except pa.ArrowInvalid:
        return _convert_distinct(values, dtype, key)  # reports which value is invalid, and why


def _from_floats(values: pa.Array, dtype: str, key: str) -> pa.Array:
    """Converts floats; NaN is missing."""
    is_present = values.is_valid().to_numpy(zero_copy_only=False)
    numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
    is_present &= ~np.isnan(numbers)
    numbers = np.where(is_present, numbers, 0)
    bound = EXACT[numbers.dtype.itemsize]
    is_exact = np.isfinite(numbers) & (np.abs(numbers) <= bound)
    is_exact[is_exact] = np.floor(numbers[is_exact]) == numbers[is_exact]
    if not is_exact.all():
        return _convert_distinct(values, dtype, key)
    return _cast(pa.array(numbers.astype(np.int64), mask=~is_present), dtype, key)


def _from_digits(values: pa.Array, dtype: str, key: str) -> pa.Array:
    texts = values.cast(pa.string())
    if pc.all(pc.match_substring_regex(texts, _SHORT_INTEGER)).as_py():
        return _cast(texts.cast(pa.int64()), dtype, key)
    return _convert_distinct(texts, dtype, key)


def _from_seconds(values: pa.Array, dtype: str, key: str) -> pa.Array:
    integers = (
        key_column(values, "Int64", key)
        if not pa.types.is_floating(values.type)
        else _from_floats(values, "Int64", key)
    )
    present = integers.drop_null().to_numpy()
    if len(present) and (present.min() < FIRST_SECOND or present.max() > LAST_SECOND):
        return _convert_distinct(values, dtype, key)
    return pc.multiply(integers, 1_000_000).cast(_TARGET_TYPES[dtype])


def _from_instants(values: pa.Array, dtype: str, key: str) -> pa.Array:
    if pa.types.is_date(values.type):
        values = values.cast(pa.date32()).cast(pa.timestamp("s"))
    per_second = _UNITS[values.type.unit]
    is_present = values.is_valid().to_numpy(zero_copy_only=False)
    seconds, fractions = np.divmod(values.cast(pa.int64()).fill_null(0).to_numpy(), per_second)
    if fractions.any() or (len(seconds) and (seconds.min() < FIRST_SECOND or seconds.max() > LAST_SECOND)):
        return _convert_distinct(values, dtype, key)
    return pa.array(seconds * 1_000_000, mask=~is_present).cast(_TARGET_TYPES[dtype])


def _convert_distinct(values: pa.Array, dtype: str, key: str) -> pa.Array:
    """Converts each distinct value once, with ``key_value``."""
    target_type = _TARGET_TYPES.get(dtype, pa.string())
    if isinstance(values.type, pa.BaseExtensionType):
        return pa.array([key_value(value, dtype, key) for value in values], target_type)
    encoded = values.dictionary_encode()
    distinct = pa.array([key_value(value, dtype, key) for value in encoded.dictionary], target_type)
    return distinct.take(encoded.indices)


_Conversion = Callable[[pa.Array, str, str], pa.Array]
_TO_TEXT: dict[str, _Conversion] = {
    "text": _cast,
    "blob": _cast,
    "integer": _cast,
    "float": _from_floats,
    "decimal": _convert_distinct,
    "uuid": _convert_distinct,
}
_TO_INTEGER: dict[str, _Conversion] = {
    "text": _from_digits,
    "integer": _cast,
    "float": _from_floats,
    "decimal": _convert_distinct,
}
_TO_TIME: dict[str, _Conversion] = {
    "text": _convert_distinct,
    "integer": _from_seconds,
    "float": _from_seconds,
    "decimal": _convert_distinct,
    "time": _from_instants,
}
_CONVERSIONS: dict[str, dict[str, _Conversion]] = {
    "Int64": _TO_INTEGER,
    "Int32": _TO_INTEGER,
    "Bytes": {"text": _cast, "blob": _cast},
    "UnixTimestamp": _TO_TIME,
    "Bool": {"text": _convert_distinct},
}
"""Declared type → kind of column → conversion. Other combinations are invalid."""
