"""A column of lists of floats: a matrix of those of one length, and the lists of any other length beside it."""

import numpy as np


class FloatLists:
    """Lists by number. A list is written once and then never changes.

    Args:
        capacity: number of rows to make room for.
        dtype: numpy type of the elements.
    """

    def __init__(self, capacity: int, dtype: np.dtype) -> None:
        self._lengths = np.zeros(capacity, np.int64)
        self._matrix = np.zeros((capacity, 0), dtype)
        self._others: dict[int, np.ndarray] = {}

    def grown(self, capacity: int) -> "FloatLists":
        """Return a copy with room for more rows."""
        copy, held = FloatLists(capacity, self._matrix.dtype), slice(len(self._lengths))
        copy._matrix = np.zeros((capacity, self._matrix.shape[1]), self._matrix.dtype)
        copy._lengths[held], copy._matrix[held], copy._others = self._lengths, self._matrix, self._others
        return copy

    def write(self, numbers: np.ndarray, lists: list[np.ndarray] | np.ndarray) -> None:
        """Write the lists of some rows, (n,) or (n, length). The first list decides on the width of the matrix."""
        if not len(lists):
            return
        if not self._matrix.shape[1] and len(lists[0]):
            self._matrix = np.zeros((len(self._lengths), len(lists[0])), self._matrix.dtype)
        width = self._matrix.shape[1]
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        if width and (lengths == width).all():
            self._matrix[numbers] = lists
            self._lengths[numbers] = width
            return
        self._lengths[numbers] = lengths
        for number, values in zip(numbers.tolist(), lists, strict=True):
            if width and len(values) == width:
                self._matrix[number] = values
            else:
                self._others[number] = values

    def take(self, numbers: np.ndarray) -> list[np.ndarray]:
        """Return the lists (n,) of rows that were written, as copies."""
        width, lengths = self._matrix.shape[1], self._lengths[numbers].tolist()
        rows = zip(numbers.tolist(), lengths, strict=True)
        return [
            np.copy(self._matrix[number] if size and size == width else self._others[number]) for number, size in rows
        ]

    def vectors(self, numbers: np.ndarray, is_present: np.ndarray) -> np.ndarray | None:
        """Return (n, length) values, NaN where no list is present; None if there is no list, or lengths differ."""
        lengths = self._lengths[numbers]
        present = lengths[is_present]
        if not len(present) or present.min() != present.max():
            return None
        if present[0] and present[0] == self._matrix.shape[1]:
            vectors = self._matrix.take(numbers, axis=0)
        else:
            vectors = np.empty((len(numbers), int(present[0])), self._matrix.dtype)
            vectors[is_present] = np.array(self.take(numbers[is_present]))
        if len(present) < len(vectors):
            vectors[~is_present] = np.nan
        return vectors
