"""Metrics of classes, and of several labels at once."""

from dataclasses import dataclass

import numpy as np

from training.evaluate.probabilities import calibration_error


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of n classified rows.

    Attributes:
        accuracy: share of rows whose most probable class is the true one.
        macro_f1: mean over classes of the harmonic mean of precision and recall.
        log_loss: mean negative log-likelihood, natural logarithm.
        calibration_error: mean distance, over ten bins of equally many rows, between the probability of the predicted
            class and its accuracy.
        rows: number of rows.
    """

    accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float
    rows: int


def class_metrics(truth: np.ndarray, probabilities: np.ndarray) -> ClassMetrics:
    """Measures probabilities (n, k) of true classes (n,)."""
    from sklearn.metrics import f1_score

    if not len(truth):
        nan = float("nan")
        return ClassMetrics(nan, nan, nan, nan, 0)
    predicted = probabilities.argmax(axis=1)
    is_correct = predicted == truth
    true_probabilities = probabilities[np.arange(len(truth)), truth]
    return ClassMetrics(
        accuracy=float(is_correct.mean()),
        macro_f1=float(f1_score(truth, predicted, average="macro", labels=np.unique(truth), zero_division=0.0)),
        log_loss=float(-np.mean(np.log(np.clip(true_probabilities, 1e-7, 1)))),
        calibration_error=calibration_error(is_correct.astype(float), probabilities.max(axis=1)),
        rows=len(truth),
    )


def class_recalls(truth: np.ndarray, probabilities: np.ndarray) -> dict[int, float]:
    """Return class → share of its rows that are predicted as it, for the classes among the true ones (n,).

    >>> class_recalls(np.array([0, 0, 2]), np.array([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.0, 0.0, 1.0]]))
    {0: 0.5, 2: 1.0}
    """
    is_correct = probabilities.argmax(axis=1) == truth
    return {int(number): float(is_correct[truth == number].mean()) for number in np.unique(truth)}


@dataclass(frozen=True)
class LabelMetrics:
    """Metrics of n rows with any number of l labels each.

    Attributes:
        mean_average_precision: mean over labels of the area under precision over recall, without labels that are never
            true.
        micro_f1: F1 of all labels together; a label is predicted above one half.
        precision_at_3: share of the three most probable labels that are true.
        rows: number of rows.
        labels: number of labels.
    """

    mean_average_precision: float
    micro_f1: float
    precision_at_3: float
    rows: int
    labels: int


def label_metrics(truth: np.ndarray, probabilities: np.ndarray) -> LabelMetrics:
    """Measures probabilities (n, l) of labels (n, l) that are true or not."""
    from sklearn.metrics import average_precision_score

    ever_true = truth.any(axis=0)
    areas = [average_precision_score(truth[:, label], probabilities[:, label]) for label in np.flatnonzero(ever_true)]
    predicted = probabilities > 0.5
    true_positives = float((predicted & truth).sum())
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
    return LabelMetrics(
        mean_average_precision=float(np.mean(areas)) if areas else float("nan"),
        micro_f1=2 * true_positives / max(float(predicted.sum() + truth.sum()), 1.0),
        precision_at_3=float(np.take_along_axis(truth, best, axis=1).mean()) if len(truth) else float("nan"),
        rows=len(truth),
        labels=truth.shape[1],
    )
