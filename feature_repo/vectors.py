"""Lists of numbers as on-demand functions take them: one rule for the training SDK, the serving process and Feast."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def vector_column(values: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Lists of numbers as a matrix if they have one length, and as they are if they do not.

    Args:
        values: n lists, arrays or None.

    Returns:
        (n, d) float32 where all lists that are there have the length d; a missing one is a row of NaN. (n, 0) if none
        is there. Else (n,) objects: each list an array (its length,) float32, a missing one None. A list never changes
        because of its neighbours.

    >>> vector_column([[1.0, 2.0], None]).shape, vector_column([[1.0, 2.0], [3.0]])[1]
    ((2, 2), array([3.], dtype=float32))
    """
    arrays = [None if value is None else np.asarray(value, np.float32) for value in values]
    lengths = {len(value) for value in arrays if value is not None}
    if len(lengths) > 1:
        return objects(arrays)
    width = lengths.pop() if lengths else 0
    nothing = np.full(width, np.nan, np.float32)
    rows = [nothing if value is None else value for value in arrays]
    return np.array(rows, np.float32).reshape(len(rows), width)


def objects(values: Sequence[Any]) -> np.ndarray:
    """(n,) objects, also of lists that happen to have one length, which numpy would take for a matrix."""
    column = np.empty(len(values), object)
    for place, value in enumerate(values):
        column[place] = value
    return column


def is_ragged(column: np.ndarray) -> bool:
    """Whether a column is one of lists of several lengths, as ``vector_column`` makes it."""
    return column.dtype == object and isinstance(next((v for v in column if v is not None), None), np.ndarray)


def rows_by_length(columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Rows of ragged columns, in groups in which each column has one length; a missing list is one of none.

    Args:
        columns: one or more, (n,) each.

    Returns:
        Places of the rows of each group.
    """
    lengths = np.array([[0 if value is None else len(value) for value in column] for column in columns])
    group = np.unique(lengths, axis=1, return_inverse=True)[1].reshape(-1)
    return [np.flatnonzero(group == number) for number in range(int(group.max(initial=-1)) + 1)]
