"""Linear scores: discriminant analysis with a shrunk covariance, or ridge regression of numbers.

With few tracks and many features, whitening by the covariance within classes helps most. Shrinkage by Ledoit and Wolf,
Honey, I shrunk the sample covariance matrix (2004).
"""

from typing import Self

import numpy as np

from training.models.audio.tasks import Kind

PENALTIES = tuple(10.0**power for power in range(0, 5))


def fit(
    inputs: np.ndarray, targets: np.ndarray, kind: Kind, recorder: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (d, k) and offsets (k,) of the scores of a task.

    The scores are log-probabilities up to a term common to all classes (``one_of``), log-odds (``any_of``) or numbers.

    Args:
        inputs: (n, d) standardized features.
        targets: (n, k) targets without NaN.
        kind: kind of the task.
        recorder: (d, d) covariance by recorders (``recorders``), added to that within classes; none if None.
    """
    from sklearn.linear_model import RidgeCV

    if kind == "number":
        model = RidgeCV(alphas=PENALTIES).fit(inputs, targets)
        return np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)
    if kind == "one_of":
        return _classes(inputs, targets.argmax(axis=1), targets.shape[1], recorder)
    columns = [_classes(inputs, column.astype(np.int64), 2, recorder) for column in targets.T]
    weights = np.column_stack([weights[:, 1] - weights[:, 0] for weights, _ in columns])
    return weights, np.array([offsets[1] - offsets[0] for _, offsets in columns])


def _classes(
    inputs: np.ndarray, truth: np.ndarray, count: int, recorder: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and offsets of classes. A class with fewer than two rows gets a score that never wins."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    weights, offsets = np.zeros((inputs.shape[1], count)), np.full(count, -20.0)
    fitted_classes = np.flatnonzero(np.bincount(truth, minlength=count) > 1)
    if len(fitted_classes) < 2:
        offsets[fitted_classes] = 0.0
        return weights, offsets
    rows = np.isin(truth, fitted_classes)
    estimator = _Covariance(recorder)
    model = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=estimator).fit(inputs[rows], truth[rows])
    if len(fitted_classes) == 2:
        weights[:, fitted_classes[1]], offsets[fitted_classes] = model.coef_[0], [0.0, model.intercept_[0]]
    else:
        weights[:, fitted_classes], offsets[fitted_classes] = model.coef_.T, model.intercept_
    return weights, offsets


class _Covariance:
    """Estimator of a covariance for scikit-learn: shrunk, in units of the columns' spread, plus that by recorders."""

    def __init__(self, recorder: np.ndarray | None) -> None:
        self.recorder = recorder

    def fit(self, rows: np.ndarray) -> Self:
        from sklearn.covariance import ledoit_wolf

        scale = np.std(rows, axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        self.covariance_ = scale[:, None] * ledoit_wolf((rows - rows.mean(axis=0)) / scale)[0] * scale
        if self.recorder is not None:
            self.covariance_ += self.recorder
        return self
