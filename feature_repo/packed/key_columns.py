"""``feature_repo.keys`` for whole Arrow columns."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.keys import EXACT, FIRST_SECOND, LAST_SECOND, conversion, key_value, refusal

_WANTED = {
    "Int64": pa.int64(),
    "Int32": pa.int32(),
    "Bytes": pa.binary(),
    "UnixTimestamp": pa.timestamp("us", "UTC"),
    "Bool": pa.bool_(),
}
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_SHORT = r"^-?0*[0-9]{1,18}$"


def key_column(values: pa.Array | pa.ChunkedArray, dtype: str, key: str = "key") -> pa.Array:
    """A column as keys; ``feature_repo.keys.key_value`` says which values are taken.

    Args:
        values: (rows,) of any type.
        dtype: Feast's name of the entity's type.
        key: name of the join key, for messages.

    Returns:
        (rows,) of strings, int64, int32, binary, timestamps in microseconds (UTC) or booleans; null for a missing key.

    Raises:
        InputError: a value, or the column's type, cannot be a key of that type.
    """
    conversion(dtype, key)
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(whole.type):
        whole = _without_views(whole.dictionary).take(whole.indices)
    whole = _without_views(whole)
    wanted, have = _WANTED.get(dtype, pa.string()), whole.type
    if have == wanted and dtype != "UnixTimestamp":
        return whole
    convert = _of_kind(have, dtype)
    if pa.types.is_null(have) or (len(whole) and convert is None and _is_missing(whole)):
        return pa.nulls(len(whole), wanted)
    if convert is None:
        raise refusal(key, dtype, f"a column of the type {have}")
    return convert(whole, dtype, key)


def key_bytes(values: pa.Array | pa.ChunkedArray, dtype: str, key: str = "key") -> pa.Array:
    """A column as keys, as bytes (``large_binary``) of the names of packed values."""
    found = key_column(values, dtype, key)
    if pa.types.is_timestamp(found.type):
        found = pc.divide(found.cast(pa.int64()), 1_000_000)
    if pa.types.is_boolean(found.type):
        found = found.cast(pa.uint8())
    if pa.types.is_integer(found.type):
        found = found.cast(pa.string())
    return found.cast(pa.large_binary())


def _is_missing(values: pa.Array) -> bool:
    """Whether nothing is there, so that the type says nothing either."""
    return bool(pc.all(pc.is_null(values, nan_is_null=True)).as_py())


def _of_kind(have: pa.DataType, dtype: str) -> Callable[[pa.Array, str, str], pa.Array] | None:
    """What converts a column of a type to a declared type; None where no value of it can be such a key."""
    return _BY_KIND.get(dtype, _FOR_TEXTS).get(_kind(have))


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


def _without_views(values: pa.Array) -> pa.Array:
    """Few of Arrow's functions take views of texts."""
    if pa.types.is_string_view(values.type):
        return values.cast(pa.string())
    return values.cast(pa.binary()) if pa.types.is_binary_view(values.type) else values


def _cast(values: pa.Array, dtype: str, key: str) -> pa.Array:
    wanted = _WANTED.get(dtype, pa.string())
    if pa.types.is_fixed_size_binary(values.type):
        values = values.cast(pa.binary())
    try:
        return values.cast(wanted)
    except pa.ArrowInvalid:
        return _one_by_one(values, dtype, key)  # which says what is wrong with which


def _whole(values: pa.Array, dtype: str, key: str) -> pa.Array:
    """Floats; NaN is missing."""
    known = values.is_valid().to_numpy(zero_copy_only=False)
    numbers = values.fill_null(0).to_numpy(zero_copy_only=False)
    known &= ~np.isnan(numbers)
    numbers = np.where(known, numbers, 0)
    bound = EXACT[numbers.dtype.itemsize]
    good = np.isfinite(numbers) & (np.abs(numbers) <= bound)
    good[good] = np.floor(numbers[good]) == numbers[good]
    if not good.all():
        return _one_by_one(values, dtype, key)
    return _cast(pa.array(numbers.astype(np.int64), mask=~known), dtype, key)


def _digits(values: pa.Array, dtype: str, key: str) -> pa.Array:
    texts = values.cast(pa.string())
    if pc.all(pc.match_substring_regex(texts, _SHORT)).as_py():
        return _cast(texts.cast(pa.int64()), dtype, key)
    return _one_by_one(texts, dtype, key)


def _seconds(values: pa.Array, dtype: str, key: str) -> pa.Array:
    whole = key_column(values, "Int64", key) if not pa.types.is_floating(values.type) else _whole(values, "Int64", key)
    known = whole.drop_null().to_numpy()
    if len(known) and (known.min() < FIRST_SECOND or known.max() > LAST_SECOND):
        return _one_by_one(values, dtype, key)
    return pc.multiply(whole, 1_000_000).cast(_WANTED[dtype])


def _instants(values: pa.Array, dtype: str, key: str) -> pa.Array:
    if pa.types.is_date(values.type):
        values = values.cast(pa.date32()).cast(pa.timestamp("s"))
    per_second = _UNITS[values.type.unit]
    known = values.is_valid().to_numpy(zero_copy_only=False)
    seconds, rest = np.divmod(values.cast(pa.int64()).fill_null(0).to_numpy(), per_second)
    if rest.any() or (len(seconds) and (seconds.min() < FIRST_SECOND or seconds.max() > LAST_SECOND)):
        return _one_by_one(values, dtype, key)
    return pa.array(seconds * 1_000_000, mask=~known).cast(_WANTED[dtype])


def _one_by_one(values: pa.Array, dtype: str, key: str) -> pa.Array:
    """Each distinct value once, by ``key_value`` itself."""
    wanted = _WANTED.get(dtype, pa.string())
    if isinstance(values.type, pa.BaseExtensionType):
        return pa.array([key_value(value, dtype, key) for value in values], wanted)
    coded = values.dictionary_encode()
    distinct = pa.array([key_value(value, dtype, key) for value in coded.dictionary], wanted)
    return distinct.take(coded.indices)


_Conversion = Callable[[pa.Array, str, str], pa.Array]
_FOR_TEXTS: dict[str, _Conversion] = {
    "text": _cast,
    "blob": _cast,
    "integer": _cast,
    "float": _whole,
    "decimal": _one_by_one,
    "uuid": _one_by_one,
}
_FOR_INTEGERS: dict[str, _Conversion] = {"text": _digits, "integer": _cast, "float": _whole, "decimal": _one_by_one}
_FOR_TIMES: dict[str, _Conversion] = {
    "text": _one_by_one,
    "integer": _seconds,
    "float": _seconds,
    "decimal": _one_by_one,
    "time": _instants,
}
_BY_KIND: dict[str, dict[str, _Conversion]] = {
    "Int64": _FOR_INTEGERS,
    "Int32": _FOR_INTEGERS,
    "Bytes": {"text": _cast, "blob": _cast},
    "UnixTimestamp": _FOR_TIMES,
    "Bool": {"text": _one_by_one},
}
"""Declared type → kind of column → its conversion; what is not there cannot be such a key."""
