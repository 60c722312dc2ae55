"""Values of Float64 and Date columns as integers: these are exact, and do not depend on the order of events.

The only place where floats and days become integers and integers become such again; batch and stream both use it.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

LARGEST = 1 << 50
"""Largest number of units of one value: up to it, every multiple of a resolution has a Float64 of its own."""

_INT = np.iinfo(np.int64)


@dataclass(frozen=True)
class Units:
    """How the values of a Float64 column become integers.

    With a resolution, a value is the nearest whole multiple of it; halves go to the even multiple. Without one, the
    integers are the bits of the float, arranged so that they sort as the values do: they can be compared, not added.

    Attributes:
        resolution: size of one unit; None if the column declares none.

    >>> cents = Units(0.01)
    >>> cents.encode(np.array([19.99, -0.014])).tolist(), cents.decode(np.array([1999, -1])).tolist()
    ([1999, -1], [19.99, -0.01])
    """

    resolution: float | None

    @cached_property
    def per_one(self) -> int | None:
        """Number of units of the value 1 if it is whole: dividing by it rounds once, multiplying would round twice."""
        count = round(1 / self.resolution) if self.resolution is not None and self.resolution < 1 else 0
        return count if count and 1 / count == self.resolution else None

    @cached_property
    def largest(self) -> float:
        """Largest valid value, positive or negative."""
        return sys.float_info.max if self.resolution is None else float(self.decode(np.array(LARGEST)))

    def encode(self, values: np.ndarray) -> np.ndarray:
        """(n,) integers of (n,) finite floats, none beyond ``largest``."""
        if self.resolution is None:
            return _in_order((values + 0.0).view(np.int64))  # −0.0 becomes 0.0
        multiples = values / self.resolution if self.per_one is None else values * self.per_one
        return np.rint(multiples).astype(np.int64)

    def decode(self, units: np.ndarray) -> np.ndarray:
        """(n,) floats of (n,) integers, or with a resolution of any multiple of a unit, such as a mean."""
        if self.resolution is None:
            return _in_order(units).view(np.float64)
        return units * float(self.resolution) if self.per_one is None else units / self.per_one


class Days:
    """Days written as texts (ISO 8601, "2026-03-01") and as integers, counted from 1970-01-01.

    >>> Days.encode(["1970-01-02", "0001-01-01"]).tolist(), Days.decode(np.array([1, -719_162])).tolist()
    ([1, -719162], ['1970-01-02', '0001-01-01'])
    """

    FIRST, LAST = -719_162, 2_932_896
    """The days 0001-01-01 and 9999-12-31."""

    @staticmethod
    def encode(texts: Iterable[str]) -> np.ndarray:
        """(n,) integers of valid texts."""
        return np.array(texts if isinstance(texts, np.ndarray) else list(texts), "M8[D]").astype(np.int64)

    @staticmethod
    def decode(days: np.ndarray) -> np.ndarray:
        """(n,) texts of integers; one that is no day gives the first or the last."""
        return np.datetime_as_string(np.clip(days, Days.FIRST, Days.LAST).astype("M8[D]"))

    @staticmethod
    def is_valid(text: str) -> bool:
        """Whether a text is a day, in the one way of writing it that sorts as the days do.

        >>> Days.is_valid("2026-02-28"), Days.is_valid("2026-02-30"), Days.is_valid("20260228")
        (True, False, False)
        """
        try:
            return date.fromisoformat(text).isoformat() == text
        except ValueError:
            return False


def _in_order(bits: np.ndarray) -> np.ndarray:
    """Turns round all bits but the sign of negative floats, which sort the other way; its own inverse."""
    return bits ^ ((bits >> 63) & _INT.max)
