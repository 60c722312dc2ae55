"""Combines two scores into one probability, with the weights that maximise the likelihood of left-out rows.

This weighs the scores and calibrates them in one step (D. H. Wolpert, Stacked generalization, 1992; with a temperature
as by Guo et al., On calibration of modern neural networks, 2017).
"""

import numpy as np

from training.models.audio.tasks import Kind

_LEAST_WEIGHT = 1e-3


def weigh(linear: np.ndarray, kernel: np.ndarray, targets: np.ndarray, kind: Kind) -> np.ndarray:
    """Return (3, k): weight of the linear score, weight of the kernel score, and offset of each class.

    Args:
        linear: (n, k) linear scores of left-out rows.
        kernel: (n, k) kernel scores of left-out rows.
        targets: (n, k) targets without NaN.
        kind: kind of the task.
    """
    if kind == "one_of":
        linear_weight, kernel_weight = _minimize(lambda w: _softmax_loss(w[0] * linear + w[1] * kernel, targets), 2)
        return np.repeat([[linear_weight], [kernel_weight], [0.0]], targets.shape[1], axis=1)
    columns = zip(linear.T, kernel.T, targets.T, strict=True)
    if kind == "number":
        return np.column_stack([_least_squares(np.column_stack([a, b, np.ones(len(a))]), y) for a, b, y in columns])
    class_weights = [
        _minimize(lambda w, a=a, b=b, y=y: _logistic_loss(w[0] * a + w[1] * b + w[2], y), 3) for a, b, y in columns
    ]
    return np.column_stack(class_weights)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Turn scores (n, k) into probabilities of exclusive classes."""
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def logistic(scores: np.ndarray) -> np.ndarray:
    """Turn scores (n, k) into probabilities of independent classes."""
    return np.asarray(1 / (1 + np.exp(-np.clip(scores, -30, 30))))


def _minimize(loss, count: int) -> np.ndarray:  # type: ignore[no-untyped-def]
    from scipy import optimize

    bounds = [(_LEAST_WEIGHT, 50.0)] * 2 + [(-10.0, 10.0)] * (count - 2)
    start = np.array([0.5, 2.0, -1.0][:count])
    return np.asarray(optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds).x)


def _least_squares(columns: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.lstsq(columns, truth, rcond=None)[0])


def _softmax_loss(scores: np.ndarray, targets: np.ndarray) -> float:
    top = scores.max(axis=1)
    return float((np.log(np.exp(scores - top[:, None]).sum(axis=1)) + top - (scores * targets).sum(axis=1)).mean())


def _logistic_loss(scores: np.ndarray, truth: np.ndarray) -> float:
    return float((np.logaddexp(0, scores) - truth * scores).mean())
