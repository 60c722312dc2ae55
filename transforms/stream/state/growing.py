"""Arrays that grow as codes are handed out."""

from typing import Any

import numpy as np

AHEAD = 1024
"""Elements that are filled at once."""


class Growing:
    """An array whose first axis is as long as it was ever asked for; what is new is filled.

    Memory is taken twice as much each time, and filled as it is asked for: to fill it all would be most of the work,
    and would come at once.

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
            grown = np.empty((max(length, have * 2), *self._array.shape[1:]), self._array.dtype)
            grown[:filled] = self._array[:filled]
            self._array = grown
        self._filled = min(length + AHEAD, len(self._array))
        self._array[filled : self._filled] = self._fill
