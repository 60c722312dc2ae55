"""Two scores to one probability: how much each counts is what makes answers for left-out rows likeliest.

That weighs the two against each other and calibrates them at once (D. H. Wolpert, Stacked generalization, 1992; with a
temperature as by Guo et al., On calibration of modern neural networks, 2017).
"""

import numpy as np

from training.models.audio.tasks import Kind

_LIGHTEST = 1e-3


def weigh(linear: np.ndarray, kernel: np.ndarray, targets: np.ndarray, kind: Kind) -> np.ndarray:
    """(3, k): weight of the linear score, of the kernel's, and an offset, for each class.

    Args:
        linear: (n, k) scores of left-out rows.
        kernel: (n, k) likewise.
        targets: (n, k) without NaN.
        kind: of the task.
    """
    if kind == "one_of":
        first, second = _fitted(lambda w: _softmax_loss(w[0] * linear + w[1] * kernel, targets), 2)
        return np.repeat([[first], [second], [0.0]], targets.shape[1], axis=1)
    columns = zip(linear.T, kernel.T, targets.T, strict=True)
    if kind == "number":
        return np.column_stack([_line(np.column_stack([a, b, np.ones(len(a))]), y) for a, b, y in columns])
    found = [_fitted(lambda w, a=a, b=b, y=y: _logistic_loss(w[0] * a + w[1] * b + w[2], y), 3) for a, b, y in columns]
    return np.column_stack(found)


def softmax(scores: np.ndarray) -> np.ndarray:
    """(n, k) probabilities."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def logistic(scores: np.ndarray) -> np.ndarray:
    """(n, k) probabilities of each by itself."""
    return np.asarray(1 / (1 + np.exp(-np.clip(scores, -30, 30))))


def _fitted(loss, count: int) -> np.ndarray:  # type: ignore[no-untyped-def]
    from scipy import optimize

    bounds = [(_LIGHTEST, 50.0)] * 2 + [(-10.0, 10.0)] * (count - 2)
    start = np.array([0.5, 2.0, -1.0][:count])
    return np.asarray(optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds).x)


def _line(columns: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.lstsq(columns, truth, rcond=None)[0])


def _softmax_loss(scores: np.ndarray, targets: np.ndarray) -> float:
    top = scores.max(axis=1)
    return float((np.log(np.exp(scores - top[:, None]).sum(axis=1)) + top - (scores * targets).sum(axis=1)).mean())


def _logistic_loss(scores: np.ndarray, truth: np.ndarray) -> float:
    return float((np.logaddexp(0, scores) - truth * scores).mean())
