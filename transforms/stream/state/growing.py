"""Arrays that grow as codes are handed out."""

from typing import Any

import numpy as np


class Growing:
    """An array whose first axis is as long as it was ever asked for; what is new is filled.

    Args:
        dtype: of the elements.
        fill: what stands where nothing was put yet: a number, or an array that is repeated.
        tail: the other axes.
    """

    def __init__(self, dtype: Any, fill: Any = 0, tail: tuple[int, ...] = ()) -> None:
        self._fill = fill
        self._array = np.full((1024, *tail), fill, dtype)

    def values(self, length: int) -> np.ndarray:
        """A view of the first so many elements."""
        have = len(self._array)
        if length > have:
            grown = np.empty((max(length, have * 2), *self._array.shape[1:]), self._array.dtype)
            grown[:have], grown[have:] = self._array, self._fill
            self._array = grown
        return self._array[:length]

    def upto(self, index: np.ndarray) -> np.ndarray:
        """A view that holds some places, given in ascending order."""
        return self.values(int(index[-1]) + 1 if len(index) else 0)
