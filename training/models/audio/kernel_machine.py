"""Least-squares support vector machine with a Gaussian kernel: one linear system for all classes.

Suykens and Vandewalle, Least squares support vector machine classifiers (1999).
"""

import numpy as np

from training.models.audio.tasks import Task

WIDTHS = (0.1, 0.25, 0.5)
"""Factors of the squared distance over the number of features."""
PENALTIES = (0.03, 0.1, 0.3, 1.0)


def kernel(left: np.ndarray, right: np.ndarray, width: float) -> np.ndarray:
    """(n, m) likeness, 0 to 1, of rows (n, d) and (m, d)."""
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
    return np.exp(-width / left.shape[1] * np.maximum(squares, 0.0))


def solve(likeness: np.ndarray, targets: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (n, k) of the kernel, and offsets (k,)."""
    from scipy import linalg

    offsets = targets.mean(axis=0)
    system = likeness + penalty * np.eye(len(likeness))
    return linalg.solve(system, targets - offsets, assume_a="pos", overwrite_a=True), offsets


def choose(inputs: np.ndarray, tasks: list[Task], folds: list[np.ndarray]) -> tuple[float, float]:
    """Width and penalty whose answers for rows that were left out are the closest, over all tasks.

    Args:
        inputs: (n, d) standardized.
        tasks: what is asked.
        folds: rows that are left out together.
    """
    best = (np.inf, WIDTHS[0], PENALTIES[0])
    for width in WIDTHS:
        likeness = kernel(inputs, inputs, width)
        for penalty in PENALTIES:
            miss = 0.0
            for task in tasks:
                spread = task.targets[task.told].var(axis=0).sum()
                found = left_out(likeness, task, folds, penalty)
                miss += float(np.nanmean(((found - task.targets) ** 2).sum(axis=1)) / max(spread, 1e-9))
            best = min(best, (miss, width, penalty))
    return best[1], best[2]


def left_out(likeness: np.ndarray, task: Task, folds: list[np.ndarray], penalty: float) -> np.ndarray:
    """(n, k) answers for each row of one that was fitted without its fold."""
    told, found = task.told, np.zeros(task.targets.shape)
    for fold in folds:
        rest = np.setdiff1d(told, fold)
        weights, offsets = solve(likeness[np.ix_(rest, rest)], task.targets[rest], penalty)
        found[fold] = likeness[np.ix_(fold, rest)] @ weights + offsets
    return found
