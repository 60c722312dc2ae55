"""Partial dependence: the mean answer if one column had the same value in all rows (J. H. Friedman, 2001)."""

from collections.abc import Callable

import numpy as np

POINTS = 8


def partial_dependence(
    answer: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray, column: int, points: int = POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """Computes values of a column, at equal shares of its rows, and the mean answer at each.

    Args:
        answer: function from rows (m, d) to answers (m,).
        inputs: (n, d) rows to average over.
        column: number of the column.
        points: number of values; fewer if the column has fewer.
    """
    known_values = inputs[:, column][np.isfinite(inputs[:, column])]
    if not len(known_values):
        return np.empty(0), np.empty(0)
    values = np.unique(np.quantile(known_values, np.linspace(0.05, 0.95, points), method="nearest"))
    means = []
    for value in values:
        changed = inputs.copy()
        changed[:, column] = value
        means.append(float(answer(changed).mean()))
    return values.astype(float), np.array(means)
