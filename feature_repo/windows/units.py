"""Values of Float64 columns as integers: sums of integers are exact, and do not depend on the order of events.

The only place where floats become integers and integers become floats again; batch and stream both use it.
"""

import sys
from dataclasses import dataclass
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


def _in_order(bits: np.ndarray) -> np.ndarray:
    """Turns round all bits but the sign of negative floats, which sort the other way; its own inverse."""
    return bits ^ ((bits >> 63) & _INT.max)
