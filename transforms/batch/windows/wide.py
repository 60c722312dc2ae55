"""Exact sums of large integers and of products, in parts of 32 bits that are summed each for itself.

A product of two integers of 64 bits has 128 bits, and so may the sum of many. Its parts have 32 bits each, of which
2^31 sum up in 64 bits; the last part has the sign. The sums of the parts are put together as integers of 64 bits where
all of them fit, else as Python's integers. Functions of sums take both, and give the same for both.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from feature_repo.windows.table import DAY

_BITS = 32
_LOW = (1 << _BITS) - 1

_WHOLE = 1 << 53
"""Integers below it are exact as Float64."""

_INT = np.iinfo(np.int64)

VALUE = ("value0", "value1")
"""Parts of a value, of columns with integers of any size."""

SQUARE = ("square0", "square1", "square2", "square3")
"""Parts of the square of a value."""

TIME = ("time0", "time1")
"""Parts of the time of an event that has a value, microseconds since 1970."""

TIME_SQUARE = ("time_square0", "time_square1", "time_square2", "time_square3")
"""Parts of the square of that time."""

TIME_VALUE = ("time_value0", "time_value1", "time_value2", "time_value3")
"""Parts of the product of time and value."""

PARTS = (*VALUE, *SQUARE, *TIME, *TIME_SQUARE, *TIME_VALUE)
"""All parts, which ``parts_of`` computes."""


def square_parts(limits: tuple[float, float] | None) -> tuple[str, ...]:
    """Parts that squares of values within limits have: all four, or two of values below 2^31."""
    return SQUARE[:2] if limits is not None and max(map(abs, limits)) < 1 << (_BITS - 1) else SQUARE


def product(left: np.ndarray, right: np.ndarray) -> list[np.ndarray]:
    """Four (n,) parts of the products of (n,) integers, the lowest first."""
    left_low, left_high, right_low, right_high = left & _LOW, left >> _BITS, right & _LOW, right >> _BITS
    lowest = left_low.astype(np.uint64) * right_low.astype(np.uint64)
    crossed = left_low * right_high, left_high * right_low
    middle = (lowest >> np.uint64(_BITS)).astype(np.int64) + (crossed[0] & _LOW) + (crossed[1] & _LOW)
    high = left_high * right_high + (crossed[0] >> _BITS) + (crossed[1] >> _BITS) + (middle >> _BITS)
    return [(lowest & np.uint64(_LOW)).astype(np.int64), middle & _LOW, high & _LOW, high >> _BITS]


def parts_of(
    names: Sequence[str], value: np.ndarray, is_present: np.ndarray, time: np.ndarray
) -> dict[str, np.ndarray]:
    """Computes parts of each event.

    Args:
        names: names of all parts of a column, of which those in ``PARTS`` are computed.
        value: (n,) integers, 0 where missing.
        is_present: (n,) whether the event has a value.
        time: (n,) event times, microseconds since 1970.

    Returns:
        Part → (n,) integers.
    """
    out: dict[str, np.ndarray] = {}
    if VALUE[0] in names:
        out |= dict(zip(VALUE, (value & _LOW, value >> _BITS), strict=True))
    if SQUARE[0] in names:
        out |= {name: part for name, part in zip(SQUARE, product(value, value), strict=True) if name in names}
    if TIME[0] in names:
        time = time * is_present
        out |= dict(zip(TIME, (time & _LOW, time >> _BITS), strict=True))
        out |= dict(zip(TIME_SQUARE, product(time, time), strict=True))
        out |= dict(zip(TIME_VALUE, product(time, value), strict=True))
    return out


def total(sums: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """(n,) integers, put together from the sums of two or more parts, the lowest first."""
    low, high, *others = (sums[name] for name in names)
    carried = high + (low >> _BITS)
    if (np.abs(carried) < 1 << (_BITS - 1)).all() and not any(part.any() for part in others):
        return (carried << _BITS) + (low & _LOW)
    return sum(sums[name].astype(object) << (_BITS * place) for place, name in enumerate(names))  # type: ignore[return-value]


def clipped(value: np.ndarray) -> np.ndarray:
    """(n,) integers of 64 bits; what is beyond their limits is the limit."""
    return value if value.dtype != object else np.clip(value, int(_INT.min), int(_INT.max)).astype(np.int64)


def mean(n: np.ndarray, value: np.ndarray) -> np.ndarray:
    """(n,) means from counts and sums; exact but for the last rounding, 0 for a count of 0."""
    return _quotient(value, np.maximum(n, 1))


def deviation(n: np.ndarray, value: np.ndarray, square: np.ndarray) -> np.ndarray:
    """(n,) standard deviation (divided by n) from counts and sums; exact but for the last rounding."""
    count = np.maximum(n, 1)
    if object in (value.dtype, square.dtype) or not _are_whole(count.astype(np.float64) * square):
        count, value, square = (sums.astype(object) for sums in (count, value, square))
    return np.sqrt(_quotient(count * square - value * value, count * count))


def slope(
    n: np.ndarray, value: np.ndarray, time: np.ndarray, time_square: np.ndarray, time_value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares slopes per day from counts and sums.

    Returns:
        Whether (n,) slopes exist, and their values, which are exact but for the last rounding.
    """
    count, value, time, time_square, time_value = (
        sums.astype(object) for sums in (n, value, time, time_square, time_value)
    )
    below = count * time_square - time * time
    is_valid = below != 0
    above = (count * time_value - time * value) * DAY
    return is_valid.astype(bool), _quotient(above, np.where(is_valid, below, 1))


def _quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """(n,) floats of integers divided by integers: of both as floats where these are exact, else by Python."""
    if object in (above.dtype, below.dtype) or not (_are_whole(above) and _are_whole(below)):
        above, below = above.astype(object), below.astype(object)
    return (above / below).astype(np.float64)


def _are_whole(integers: np.ndarray) -> bool:
    return bool((np.abs(integers.astype(np.float64)) < _WHOLE).all())
