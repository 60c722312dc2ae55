"""Arrays that grow as codes are handed out."""

import math
import mmap
import sys
from typing import Any

import numpy as np

AHEAD = 1024
"""Elements that are filled at once."""

ROOM, TIMES = 1 << 24, 8
"""Elements for which there is room once the first ones are full, and how much more when that is full, too.

Memory that nobody touches is not there yet, so that room costs addresses only; to copy what was there takes time, and
nothing else is done meanwhile.
"""

_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0
"""Linux' MAP_NORESERVE, which Python does not name: the room may be more than there is of memory."""


class Growing:
    """An array whose first axis is as long as it was ever asked for; what is new is filled, as it is asked for.

    Args:
        dtype: of the elements.
        fill: what stands where nothing was put yet: a number, or an array that is repeated.
        tail: the other axes.
    """

    def __init__(self, dtype: Any, fill: Any = 0, tail: tuple[int, ...] = ()) -> None:
        self._fill = fill
        self._array = np.empty((AHEAD, *tail), dtype)
        self._filled = 0

    def values(self, length: int) -> np.ndarray:
        """A view of the first so many elements."""
        if length > self._filled:
            self._grow(length)
        return self._array[:length]

    def upto(self, index: np.ndarray) -> np.ndarray:
        """A view that holds some places, given in ascending order."""
        return self.values(int(index[-1]) + 1 if len(index) else 0)

    def _grow(self, length: int) -> None:
        have, filled = len(self._array), self._filled
        if length > have:
            room, tail = max(ROOM if have < ROOM else have * TIMES, length), self._array.shape[1:]
            try:
                grown = _untouched((room, *tail), self._array.dtype)
            except OSError:  # addresses are limited, too: ulimit -v, or an overcommit that is
                grown = _untouched((length * 2, *tail), self._array.dtype)
            grown[:filled] = self._array[:filled]
            self._array = grown
        self._filled = min(length + AHEAD, len(self._array))
        self._array[filled : self._filled] = self._fill


def _untouched(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Memory from the system page by page: numpy would ask for huge pages, and each takes milliseconds to be made."""
    count = math.prod(shape)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE
    return np.frombuffer(mmap.mmap(-1, max(count * dtype.itemsize, 1), flags=flags), dtype, count).reshape(shape)
