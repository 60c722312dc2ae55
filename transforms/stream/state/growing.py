"""Arrays that grow as new codes are assigned."""

import math
import mmap
import sys
from typing import Any

import numpy as np

AHEAD = 1024
"""Elements that are initialized at once."""

ROOM, TIMES = 1 << 24, 8
"""Capacity, in elements, after the first ``AHEAD`` are full, and the factor by which a full array then grows.

The system provides memory only when it is touched, so unused capacity costs addresses only. Copying a full array takes
time, during which the stream does nothing else.
"""

_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0
"""Linux' MAP_NORESERVE, which Python has no constant for: the capacity may exceed the machine's memory."""


class Growing:
    """An array whose first axis grows to the largest length ever requested; new elements have a fill value.

    Args:
        dtype: type of the elements.
        fill: value of new elements: a number, or an array that is repeated.
        tail: lengths of the other axes.
    """

    def __init__(self, dtype: Any, fill: Any = 0, tail: tuple[int, ...] = ()) -> None:
        self._fill = fill
        self._array = np.empty((AHEAD, *tail), dtype)
        self._filled = 0

    def values(self, length: int) -> np.ndarray:
        """A view of the first ``length`` elements."""
        if length > self._filled:
            self._grow(length)
        return self._array[:length]

    def upto(self, index: np.ndarray) -> np.ndarray:
        """A view long enough for all positions of an ascending index."""
        return self.values(int(index[-1]) + 1 if len(index) else 0)

    def _grow(self, length: int) -> None:
        capacity, filled = len(self._array), self._filled
        if length > capacity:
            new_capacity, tail = max(ROOM if capacity < ROOM else capacity * TIMES, length), self._array.shape[1:]
            try:
                grown = _untouched((new_capacity, *tail), self._array.dtype)
            except OSError:  # addresses may be limited, too: ulimit -v, or overcommit
                grown = _untouched((length * 2, *tail), self._array.dtype)
            grown[:filled] = self._array[:filled]
            self._array = grown
        self._filled = min(length + AHEAD, len(self._array))
        self._array[filled : self._filled] = self._fill


def _untouched(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Maps memory in small pages. numpy would request huge pages, each of which takes milliseconds to initialize."""
    count = math.prod(shape)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE
    return np.frombuffer(mmap.mmap(-1, max(count * dtype.itemsize, 1), flags=flags), dtype, count).reshape(shape)
