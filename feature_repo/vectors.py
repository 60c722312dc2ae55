"""Columns of number lists for on-demand functions, shared by the training SDK, the serving process and Feast."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def vector_column(values: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Converts lists of numbers to a matrix if they have one length, otherwise to an object array.

    Args:
        values: n lists, arrays or None.

    Returns:
        (n, d) float32 if all present lists have the length d; a missing list is a row of NaN. (n, 0) if all are
        missing. Otherwise (n,) objects: float32 arrays, None for a missing list. A list never depends on other rows.

    >>> vector_column([[1.0, 2.0], None]).shape, vector_column([[1.0, 2.0], [3.0]])[1]
    ((2, 2), array([3.], dtype=float32))
    """
    arrays = [None if value is None else np.asarray(value, np.float32) for value in values]
    lengths = {len(value) for value in arrays if value is not None}
    if len(lengths) > 1:
        return objects(arrays)
    width = lengths.pop() if lengths else 0
    missing_row = np.full(width, np.nan, np.float32)
    rows = [missing_row if value is None else value for value in arrays]
    return np.array(rows, np.float32).reshape(len(rows), width)


def objects(values: Sequence[Any]) -> np.ndarray:
    """Converts values to an (n,) object array, also lists of equal length, of which numpy would make a matrix."""
    column = np.empty(len(values), object)
    for index, value in enumerate(values):
        column[index] = value
    return column


def is_ragged(column: np.ndarray) -> bool:
    """Whether a column has lists of several lengths, as returned by ``vector_column``."""
    return column.dtype == object and isinstance(next((v for v in column if v is not None), None), np.ndarray)


def rows_by_length(columns: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Groups rows of ragged columns so that each column has one length per group; a missing list has length 0.

    Args:
        columns: one or more columns, (n,) each.

    Returns:
        Row indices of each group.
    """
    lengths = np.array([[0 if value is None else len(value) for value in column] for column in columns])
    group = np.unique(lengths, axis=1, return_inverse=True)[1].reshape(-1)
    return [np.flatnonzero(group == number) for number in range(int(group.max(initial=-1)) + 1)]
