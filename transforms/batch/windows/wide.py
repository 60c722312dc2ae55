"""Exact sums of products, in parts of 32 bits that are summed each for itself.

A product of two integers of 64 bits has 128 bits, and so may the sum of many. Its parts have 32 bits each, of which
2^31 sum up in 64 bits; the last part has the sign. The sums of the parts are put together as Python's integers.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from feature_repo.windows.table import DAY

_BITS = 32
_LOW = (1 << _BITS) - 1

SQUARE = ("square0", "square1", "square2", "square3")
"""Parts of the square of a value."""

TIME = ("time0", "time1")
"""Parts of the time of an event that has a value, microseconds since 1970."""

TIME_SQUARE = ("time_square0", "time_square1", "time_square2", "time_square3")
"""Parts of the square of that time."""

TIME_VALUE = ("time_value0", "time_value1", "time_value2", "time_value3")
"""Parts of the product of time and value."""

PARTS = (*SQUARE, *TIME, *TIME_SQUARE, *TIME_VALUE)
"""All parts, which ``parts_of`` computes."""


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
    if SQUARE[0] in names:
        out |= dict(zip(SQUARE, product(value, value), strict=True))
    if TIME[0] in names:
        time = time * is_present
        out |= dict(zip(TIME, (time & _LOW, time >> _BITS), strict=True))
        out |= dict(zip(TIME_SQUARE, product(time, time), strict=True))
        out |= dict(zip(TIME_VALUE, product(time, value), strict=True))
    return out


def total(sums: Mapping[str, np.ndarray], names: Sequence[str]) -> np.ndarray:
    """(n,) Python integers, put together from the sums of their parts, the lowest first."""
    return sum(sums[name].astype(object) << (_BITS * place) for place, name in enumerate(names))  # type: ignore[return-value]


def deviation(n: np.ndarray, value: np.ndarray, square: np.ndarray) -> np.ndarray:
    """(n,) standard deviation (divided by n) from counts and sums; exact but for the last rounding."""
    count = np.maximum(n, 1).astype(object)
    variance = (count * square - value.astype(object) ** 2) / (count * count)
    return np.sqrt(variance.astype(np.float64))


def slope(
    n: np.ndarray, value: np.ndarray, time: np.ndarray, time_square: np.ndarray, time_value: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares slopes per day from counts and sums.

    Returns:
        Whether (n,) slopes exist, and their values, which are exact but for the last rounding.
    """
    count = n.astype(object)
    below = count * time_square - time * time
    is_valid = below != 0
    above = (count * time_value - time * value.astype(object)) * DAY
    return is_valid.astype(bool), (above / np.where(is_valid, below, 1)).astype(np.float64)
