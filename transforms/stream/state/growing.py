"""Arrays that grow as codes are handed out."""

import math
import mmap
from typing import Any

import numpy as np

AHEAD = 1024
"""Elements that are filled at once."""

TIMES = 8
"""How much longer an array becomes when it is full. Memory that nobody touches is not there yet, so that length costs
nothing; to copy what was there does, and nothing else is done meanwhile.
"""


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
            grown = _untouched((max(length, have * TIMES), *self._array.shape[1:]), self._array.dtype)
            grown[:filled] = self._array[:filled]
            self._array = grown
        self._filled = min(length + AHEAD, len(self._array))
        self._array[filled : self._filled] = self._fill


def _untouched(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Memory from the system page by page: numpy would ask for huge pages, and each takes milliseconds to be made."""
    count = math.prod(shape)
    return np.frombuffer(mmap.mmap(-1, max(count * dtype.itemsize, 1)), dtype, count).reshape(shape)
