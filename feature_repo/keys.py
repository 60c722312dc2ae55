"""Conversion of join keys to the declared type of their entity, shared by all readers and writers.

The training SDK, the slim lookup, Feast's API on these stores, pushes, ``materialize``, ``forget``, CSV and HTTP all
convert with ``key_value``, so that a key matches the same rows everywhere. ``feature_repo.packed.key_columns`` converts
whole columns; tests check that both agree. Imports neither Feast nor pandas.

- ``String`` accepts texts unchanged, whole numbers (7 and 7.0) as decimal digits, UTF-8 bytes and UUIDs; it rejects
  fractions, booleans and times.
- ``Int64`` and ``Int32`` accept whole numbers and texts of decimal digits (``007`` is 7); they reject fractions,
  booleans, other texts and numbers with more bits.
- ``Bytes`` accepts bytes, and texts as UTF-8.
- ``UnixTimestamp`` accepts times and dates (UTC without a zone), whole seconds since 1970 and ISO 8601; it rejects
  fractions of a second, and booleans.
- ``Bool`` accepts booleans, and the texts ``true`` and ``false``.

A missing key (None, NaN, ``pandas.NA``, NaT, an Arrow null) becomes None and matches nothing. An empty text is a key.
"""

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import numpy as np

from feature_repo import iso8601
from feature_repo.errors import InputError

Key = str | int | bytes | datetime
"""A converted key: text, integer (or boolean), bytes, or a datetime in UTC with whole seconds."""

EXACT = {2: 2**11 - 1, 4: 2**24 - 1, 8: 2**53 - 1}
"""Width of a float in bytes → largest integer that is exact. A larger id may have been rounded."""

FIRST_SECOND = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
LAST_SECOND = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = re.compile(r"-?[0-9]+", re.ASCII)
_MOST_DIGITS = 100
_SECONDS_IN = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_MISSING_TYPES = {"NAType", "NaTType"}


class _Refused(ValueError):
    """A value that cannot be a key, with the reason."""


def key_value(value: Any, dtype: str, key: str = "key") -> Key | None:
    """Converts one value to a key.

    Args:
        value: value of any type; see the list in the module's docstring.
        dtype: Feast's name of the entity's type, such as ``String`` or ``Int64``.
        key: name of the join key, for messages.

    Returns:
        A ``str``, ``int``, ``bytes``, ``bool`` or ``datetime`` in UTC, depending on the type; None for a missing key.

    Raises:
        InputError: the value cannot be converted to that type.

    >>> key_value(7.0, "String"), key_value("007", "Int64"), key_value(float("nan"), "Int64")
    ('7', 7, None)
    """
    convert = conversion(dtype, key)
    try:
        plain = _to_python(value)
        return None if plain is None else convert(plain)
    except _Refused as error:
        raise refusal(key, dtype, f"{_preview(value)}: {error}") from error


def key_values(values: Iterable[Any], dtype: str, key: str = "key") -> list[Key | None]:
    """Converts many values: a list, or an array of numpy, Arrow, pandas or polars. A single text is one value."""
    items = _to_list(values)
    types = set(map(type, items))
    if dtype in _TEXTS and types <= _TEXT_OR_NONE:
        return items
    return [key_value(value, dtype, key) for value in items]


def key_parts(values: Iterable[Any], dtype: str, key: str = "key") -> list[bytes | None]:
    """Converts many values to bytes, as in the names of packed values (``packed.entity_key``)."""
    items = _to_list(values)
    types = set(map(type, items))
    if types <= _TEXT_OR_NONE and dtype in _TEXTS:
        try:
            if types == _ONLY_TEXT:
                return list(map(str.encode, items))
            return [None if value is None else value.encode() for value in items]
        except UnicodeEncodeError:
            pass  # the slow path reports the invalid value
    elif types == _ONLY_INTEGERS and dtype == "Int64" and min(items) >= -(2**63) and max(items) < 2**63:
        return [b"%d" % value for value in items]
    converted = (key_value(value, dtype, key) for value in items)
    return [None if value is None else part(value) for value in converted]


def part(value: Key) -> bytes:
    """Encodes a converted key: text as UTF-8, bytes unchanged, others as decimal digits; times are seconds."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    return b"%d" % ((value - _EPOCH) // timedelta(seconds=1) if isinstance(value, datetime) else value)


def conversion(dtype: str, key: str) -> Callable[[Any], Key]:
    """Returns the function that converts a plain value to a declared type.

    Raises:
        InputError: entities of that type cannot be looked up.
    """
    convert = _CONVERSIONS.get(dtype)
    if convert is None:
        raise InputError(
            expected=f"a join key {key!r} of one of the types {', '.join(_CONVERSIONS)}",
            found=f"an entity of the type {dtype}",
            next_command="declare the entity with value_type=ValueType.STRING, then: refrain apply",
        )
    return convert


def refusal(key: str, dtype: str, found: str) -> InputError:
    """Builds the error for a value that cannot be a key."""
    return InputError(
        expected=f"{EXPECTED[dtype]} in the join key {key!r} of type {dtype}",
        found=found,
        next_command=f"correct {key!r} at its source, or cast it to the entity's type; a missing key is None",
    )


def _to_python(value: Any) -> Any:
    """Converts a value to a built-in Python type; None for every kind of missing value."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if value is None or kind.__name__ in _MISSING_TYPES:
        return None
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.generic):
        return _numpy_to_python(value)
    if hasattr(value, "as_py"):
        return _arrow_to_python(value)
    if isinstance(value, float):
        return _check_float(value, 8)
    return None if isinstance(value, Decimal) and value.is_nan() else value


def _numpy_to_python(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else _numpy_instant(value)
    if isinstance(value, np.floating):
        return _check_float(float(value), value.dtype.itemsize)
    return value if isinstance(value, np.timedelta64 | str | bytes) else value.item()


def _check_float(value: float, width: int) -> float | None:
    if math.isnan(value):
        return None
    if abs(value) > EXACT.get(width, EXACT[8]) and value.is_integer():
        raise _Refused("a float does not hold every integer of this size; it may be rounded")
    return value


def _arrow_to_python(scalar: Any) -> Any:
    if not scalar.is_valid:
        return None
    width = {"halffloat": 2, "float": 4}.get(str(scalar.type))
    if width:
        return _check_float(scalar.as_py(), width)
    if str(scalar.type).startswith("timestamp"):
        return _instant(scalar.value, _SECONDS_IN[scalar.type.unit])
    try:
        return _to_python(scalar.as_py())
    except OverflowError as error:
        raise _Refused("a date that is not between the years 1 and 9999") from error


def _numpy_instant(value: np.datetime64) -> datetime:
    unit, step = np.datetime_data(value.dtype)
    if unit not in _SECONDS_IN:
        seconds = value.astype("datetime64[s]")
        return _instant(int(seconds.astype(np.int64)), 1)
    return _instant(int(value.astype(np.int64)) * step, _SECONDS_IN[unit])


def _instant(ticks: int, per_second: int) -> datetime:
    seconds, remainder = divmod(ticks, per_second)
    if remainder:
        raise _Refused("a fraction of a second")
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise _Refused("not between the years 1 and 9999")
    return _EPOCH + timedelta(seconds=seconds)


def _whole_number(value: float | Decimal) -> int:
    if isinstance(value, Decimal):
        if not value.is_finite() or value.adjusted() > _MOST_DIGITS or value != value.to_integral_value():
            raise _Refused("not a whole number")
        return int(value)
    if not value.is_integer():
        raise _Refused("not a whole number")
    return int(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = str.__str__(value)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise _Refused("no text that UTF-8 can hold") from error
        return text
    if isinstance(value, bool):
        raise _Refused("a boolean")
    if isinstance(value, float | Decimal):
        value = _whole_number(value)
    if isinstance(value, int):
        if abs(value) >= 10**_MOST_DIGITS:
            raise _Refused(f"a number of more than {_MOST_DIGITS} digits")
        return f"{int(value)}"
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError as error:
            raise _Refused("bytes that are no UTF-8") from error
    if isinstance(value, UUID):
        return str(value)
    raise _Refused(f"of the type {type(value).__name__}")


def _integer(bits: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        if isinstance(value, bool):
            raise _Refused("a boolean")
        if isinstance(value, float | Decimal):
            number = _whole_number(value)
        elif isinstance(value, int):
            number = int(value)
        elif isinstance(value, str) and _DIGITS.fullmatch(value):
            digits = value.lstrip("-").lstrip("0") or "0"
            number = int(digits[:20]) * (-1 if value[0] == "-" else 1)
        else:
            raise _Refused("no decimal digits" if isinstance(value, str) else f"of the type {type(value).__name__}")
        if not -(1 << bits - 1) <= number < 1 << bits - 1:
            raise _Refused(f"more than {bits} bits")
        return number

    return convert


def _blob(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return _text(value).encode()
    raise _Refused(f"of the type {type(value).__name__}")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _Refused(f"of the type {type(value).__name__}")


def _time(value: Any) -> datetime:
    if isinstance(value, datetime):
        if value.microsecond or getattr(value, "nanosecond", 0):
            raise _Refused("a fraction of a second")
        zoned = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        return _instant((zoned - _EPOCH) // timedelta(seconds=1), 1)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        try:
            return _time(iso8601.parse(value))
        except _Refused:
            raise
        except ValueError as error:
            raise _Refused(str(error)) from error
    return _instant(_SECONDS(value), 1)


_SECONDS = _integer(64)


def _to_list(values: Iterable[Any]) -> list[Any]:
    """Converts a column to a list of values, preserving the width of floats and nanoseconds."""
    if type(values) is list:
        return values
    if isinstance(values, str | bytes | bytearray | memoryview):
        return [values]
    if hasattr(values, "to_numpy") and str(getattr(values, "dtype", "")).lower().startswith(("float", "datetime")):
        values = values.to_numpy()
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "UiuObS":
        return values.tolist()
    if str(getattr(values, "type", "")) in _ARROW_PLAIN:
        return values.to_pylist()  # type: ignore[attr-defined]
    return list(values)


def _preview(value: Any) -> str:
    try:
        return f"{value[:60]!r}" if isinstance(value, str) else str(value)[:60]
    except (ValueError, OverflowError):  # an Arrow time outside Python's range of years
        return type(value).__name__


_TEXTS = {"String", "Uuid", "TimeUuid", "Decimal"}
_PLAIN = {str, int, bool, bytes, UUID}
_ARROW_PLAIN = {"string", "large_string", "string_view", "int64", "int32"}
_ONLY_TEXT, _ONLY_INTEGERS, _TEXT_OR_NONE = {str}, {int}, {str, type(None)}
_CONVERSIONS: dict[str, Callable[[Any], Key]] = {
    **dict.fromkeys(sorted(_TEXTS), _text),
    "Int64": _integer(64),
    "Int32": _integer(32),
    "Bytes": _blob,
    "UnixTimestamp": _time,
    "Bool": _boolean,
}
EXPECTED = {
    **dict.fromkeys(_TEXTS, "texts, or numbers without a fraction,"),
    "Int64": "whole numbers of 64 bits",
    "Int32": "whole numbers of 32 bits",
    "Bytes": "bytes or texts",
    "UnixTimestamp": "instants of whole seconds",
    "Bool": "booleans",
}
"""Declared type → description of its keys, for messages."""
