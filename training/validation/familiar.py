"""Finds the test units that a model has learned from: copies of training rows, and entities of the training set."""

import numpy as np

from training.validation.suspicions import COPY, ENTITY

AGREEMENT = 0.98
"""Share of test rows with the label of a training row of equal features, from which on the rows are copies. Rows of
few values are equal by chance, and their labels differ."""


def familiar(
    train: np.ndarray,
    test: np.ndarray,
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    entities: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Says what of each test unit the model has learned from.

    Args:
        train: (n, k) features of the training rows, or (n,) texts.
        test: (m, k) features of the test rows, or (m,) texts.
        train_labels: (n,) labels of the training rows.
        test_labels: (m,) labels of the test rows.
        entities: (n,) and (m,) entity of each row, such as the listener.

    Returns:
        (m,) ``copy`` for a row whose features are all those of a training row, ``entity`` for a row of an entity with
        training rows, empty for neither.

    >>> familiar(np.array(["a", "b"]), np.array(["b", "c"]), np.array([0, 1]), np.array([1, 0])).tolist()
    ['copy', '']
    """
    train_keys, test_keys = _row_keys(train), _row_keys(test)
    kinds = np.full(len(test_keys), "", "U6")
    if entities is not None:
        kinds[np.isin(entities[1], entities[0])] = ENTITY
    if not len(train_keys):
        return kinds
    distinct, first_rows = np.unique(train_keys, return_index=True)
    places = np.minimum(np.searchsorted(distinct, test_keys), len(distinct) - 1)
    has_twin = distinct[places] == test_keys
    agrees = train_labels[first_rows[places]] == test_labels
    if has_twin.any() and agrees[has_twin].mean() >= AGREEMENT:
        kinds[has_twin] = COPY
    return kinds


def _row_keys(rows: np.ndarray) -> np.ndarray:
    """Returns one comparable key for each row: the text, or a digest of the numbers."""
    if rows.ndim == 1:
        return rows.astype(np.str_)
    numbers = np.ascontiguousarray(rows, np.float64) + 0.0  # -0.0 becomes 0.0
    numbers[np.isnan(numbers)] = np.nan
    return np.array([hash(row.tobytes()) for row in numbers], np.int64)
