"""Arrays that grow at their last axis as codes are handed out."""

from typing import Any

import numpy as np


class Growing:
    """An array whose last axis is as long as it was ever asked for; what is new is filled.

    Args:
        dtype: of the elements.
        fill: what stands where nothing was put yet.
        shape: of the other axes.
        tail: of axes behind the growing one.
    """

    def __init__(self, dtype: Any, fill: Any = 0, shape: tuple[int, ...] = (), tail: tuple[int, ...] = ()) -> None:
        self._fill, self._axis = fill, len(shape)
        self._array = np.full((*shape, 1024, *tail), fill, dtype)

    def values(self, length: int) -> np.ndarray:
        """A view of the first so many elements."""
        have = self._array.shape[self._axis]
        if length > have:
            more = list(self._array.shape)
            more[self._axis] = max(length, have * 2) - have
            rest = np.full(more, self._fill, self._array.dtype)
            self._array = np.concatenate([self._array, rest], axis=self._axis)
        return self._array[(slice(None),) * self._axis + (slice(length),)]
