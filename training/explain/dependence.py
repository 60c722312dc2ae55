"""Partial dependence: the mean answer, were one column the same in all rows (J. H. Friedman, 2001)."""

from collections.abc import Callable

import numpy as np

POINTS = 8


def partial_dependence(
    answer: Callable[[np.ndarray], np.ndarray], inputs: np.ndarray, column: int, points: int = POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """Values of a column, at equal shares of its rows, and the mean answer at each.

    Args:
        answer: rows (m, d) → (m,).
        inputs: (n, d) rows to average over.
        column: which.
        points: how many values, fewer where it has no more.
    """
    known = inputs[:, column][np.isfinite(inputs[:, column])]
    if not len(known):
        return np.empty(0), np.empty(0)
    values = np.unique(np.quantile(known, np.linspace(0.05, 0.95, points), method="nearest"))
    means = []
    for value in values:
        moved = inputs.copy()
        moved[:, column] = value
        means.append(float(answer(moved).mean()))
    return values.astype(float), np.array(means)
