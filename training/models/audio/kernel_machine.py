"""Least-squares support vector machine with a Gaussian kernel: one linear system for all classes.

Suykens and Vandewalle, Least squares support vector machine classifiers (1999).
"""

import numpy as np

from training.models.audio.tasks import Task

WIDTHS = (0.1, 0.25, 0.5)
"""Factors of the squared distance over the number of features."""
PENALTIES = (0.03, 0.1, 0.3, 1.0)


def kernel(left: np.ndarray, right: np.ndarray, width: float) -> np.ndarray:
    """Return the similarity (n, m), 0 to 1, of rows (n, d) and (m, d)."""
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
    return np.exp(-width / left.shape[1] * np.maximum(squares, 0.0))


def solve(similarity: np.ndarray, targets: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients (n, k) of the kernel, and the offsets (k,)."""
    from scipy import linalg

    offsets = targets.mean(axis=0)
    system = similarity + penalty * np.eye(len(similarity))
    return linalg.solve(system, targets - offsets, assume_a="pos", overwrite_a=True), offsets


def choose(inputs: np.ndarray, tasks: list[Task], folds: list[np.ndarray]) -> tuple[float, float]:
    """Return the width and the penalty with the lowest error on left-out rows, over all tasks.

    Args:
        inputs: (n, d) standardized features.
        tasks: the tasks on these rows.
        folds: row numbers of each fold; the rows of a fold are left out together.
    """
    best = (np.inf, WIDTHS[0], PENALTIES[0])
    for width in WIDTHS:
        similarity = kernel(inputs, inputs, width)
        for penalty in PENALTIES:
            error = 0.0
            for task in tasks:
                spread = task.targets[task.labelled_rows].var(axis=0).sum()
                predictions = cross_predict(similarity, task, folds, penalty)
                error += float(np.nanmean(((predictions - task.targets) ** 2).sum(axis=1)) / max(spread, 1e-9))
            best = min(best, (error, width, penalty))
    return best[1], best[2]


def cross_predict(similarity: np.ndarray, task: Task, folds: list[np.ndarray], penalty: float) -> np.ndarray:
    """Return (n, k) predictions for each row by a machine that was fitted without the row's fold."""
    labelled_rows, predictions = task.labelled_rows, np.zeros(task.targets.shape)
    for fold in folds:
        training_rows = np.setdiff1d(labelled_rows, fold)
        if not len(training_rows):
            continue  # the predictions stay 0: no other row has a label
        weights, offsets = solve(similarity[np.ix_(training_rows, training_rows)], task.targets[training_rows], penalty)
        predictions[fold] = similarity[np.ix_(fold, training_rows)] @ weights + offsets
    return predictions
