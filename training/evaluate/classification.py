"""Metrics of answers that are one of several classes, or several labels at once."""

from dataclasses import dataclass

import numpy as np

from training.evaluate.probabilities import calibration_error


@dataclass(frozen=True)
class ClassMetrics:
    """Of n answers.

    Attributes:
        accuracy: share of answers whose most probable class is the true one.
        macro_f1: mean over classes of the harmonic mean of precision and recall.
        log_loss: mean negative log-likelihood, natural logarithm.
        calibration_error: mean distance, over ten bins of equally many answers, of the probability of the answer that
            was given and of how often it was right.
        rows: n.
    """

    accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float
    rows: int


def class_metrics(truth: np.ndarray, probabilities: np.ndarray) -> ClassMetrics:
    """Measure probabilities (n, k) of true classes (n,)."""
    from sklearn.metrics import f1_score

    if not len(truth):
        nothing = float("nan")
        return ClassMetrics(nothing, nothing, nothing, nothing, 0)
    answer = probabilities.argmax(axis=1)
    right = answer == truth
    given = probabilities[np.arange(len(truth)), truth]
    return ClassMetrics(
        accuracy=float(right.mean()),
        macro_f1=float(f1_score(truth, answer, average="macro", labels=np.unique(truth), zero_division=0.0)),
        log_loss=float(-np.mean(np.log(np.clip(given, 1e-7, 1)))),
        calibration_error=calibration_error(right.astype(float), probabilities.max(axis=1)),
        rows=len(truth),
    )


@dataclass(frozen=True)
class LabelMetrics:
    """Of n rows with any number of l labels each.

    Attributes:
        mean_average_precision: mean over labels of the area under precision over recall; labels never true left out.
        micro_f1: of all answers together, a label being given above one half.
        precision_at_3: share of the three most probable labels that are true.
        rows: n.
        labels: l.
    """

    mean_average_precision: float
    micro_f1: float
    precision_at_3: float
    rows: int
    labels: int


def label_metrics(truth: np.ndarray, probabilities: np.ndarray) -> LabelMetrics:
    """Measure probabilities (n, l) of labels (n, l) that are true or not."""
    from sklearn.metrics import average_precision_score

    asked = truth.any(axis=0)
    areas = [average_precision_score(truth[:, label], probabilities[:, label]) for label in np.flatnonzero(asked)]
    given = probabilities > 0.5
    both = float((given & truth).sum())
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
    return LabelMetrics(
        mean_average_precision=float(np.mean(areas)) if areas else float("nan"),
        micro_f1=2 * both / max(float(given.sum() + truth.sum()), 1.0),
        precision_at_3=float(np.take_along_axis(truth, best, axis=1).mean()) if len(truth) else float("nan"),
        rows=len(truth),
        labels=truth.shape[1],
    )
