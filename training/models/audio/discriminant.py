"""Linear scores: discriminant analysis with a shrunk covariance, or ridge regression of numbers.

Where tracks are few and features many, whitening by the spread within classes is what helps most. Shrinkage by Ledoit
and Wolf, Honey, I shrunk the sample covariance matrix (2004).
"""

import numpy as np

from training.models.audio.tasks import Kind

PENALTIES = tuple(10.0**power for power in range(0, 5))


def fit(inputs: np.ndarray, targets: np.ndarray, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """Weights (d, k) and offsets (k,): log-probabilities up to what is common to all classes, log-odds, or numbers.

    Args:
        inputs: (n, d) standardized.
        targets: (n, k) without NaN.
        kind: of the task.
    """
    from sklearn.linear_model import RidgeCV

    if kind == "number":
        model = RidgeCV(alphas=PENALTIES).fit(inputs, targets)
        return np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)
    if kind == "one_of":
        return _classes(inputs, targets.argmax(axis=1), targets.shape[1])
    columns = [_classes(inputs, column.astype(np.int64), 2) for column in targets.T]
    weights = np.column_stack([weights[:, 1] - weights[:, 0] for weights, _ in columns])
    return weights, np.array([offsets[1] - offsets[0] for _, offsets in columns])


def _classes(inputs: np.ndarray, truth: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes of fewer than two rows, which have no spread, get a score that never wins."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    weights, offsets = np.zeros((inputs.shape[1], count)), np.full(count, -20.0)
    there = np.flatnonzero(np.bincount(truth, minlength=count) > 1)
    if len(there) < 2:
        offsets[there] = 0.0
        return weights, offsets
    rows = np.isin(truth, there)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(inputs[rows], truth[rows])
    if len(there) == 2:
        weights[:, there[1]], offsets[there] = model.coef_[0], [0.0, model.intercept_[0]]
    else:
        weights[:, there], offsets[there] = model.coef_.T, model.intercept_
    return weights, offsets
