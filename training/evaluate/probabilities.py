"""Metrics of probabilities: whether they order well, and whether they mean what they say."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ProbabilityMetrics:
    """Of one yes-or-no question.

    Attributes:
        brier: mean squared difference of probability and outcome (Brier 1950); lower is better.
        log_loss: mean negative log-likelihood, natural logarithm.
        roc_auc: chance that a yes is ranked above a no; NaN if all outcomes are the same.
        average_precision: area under precision over recall; NaN without a yes.
        calibration_error: mean distance of probability and frequency over ten bins of equal size.
        base_rate: share of yes.
        rows: how many were asked.
    """

    brier: float
    log_loss: float
    roc_auc: float
    average_precision: float
    calibration_error: float
    base_rate: float
    rows: int


def probability_metrics(outcome: np.ndarray, probability: np.ndarray) -> ProbabilityMetrics:
    """Measure probabilities (n,) of outcomes (n,) 0 or 1."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    outcome, probability = np.asarray(outcome, np.float64), np.asarray(probability, np.float64)
    if not len(outcome):
        nothing = float("nan")
        return ProbabilityMetrics(nothing, nothing, nothing, nothing, nothing, nothing, rows=0)
    both = 0 < outcome.sum() < len(outcome)
    safe = np.clip(probability, 1e-7, 1 - 1e-7)
    return ProbabilityMetrics(
        brier=float(np.mean((probability - outcome) ** 2)),
        log_loss=float(-np.mean(outcome * np.log(safe) + (1 - outcome) * np.log1p(-safe))),
        roc_auc=float(roc_auc_score(outcome, probability)) if both else float("nan"),
        average_precision=float(average_precision_score(outcome, probability)) if outcome.any() else float("nan"),
        calibration_error=calibration_error(outcome, probability),
        base_rate=float(outcome.mean()),
        rows=len(outcome),
    )


def calibration_error(outcome: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Mean over bins of equally many rows of |mean probability − share of yes| (expected calibration error).

    >>> calibration_error(np.array([0, 1]), np.array([0.0, 1.0]))
    0.0
    """
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [abs(probability[part].mean() - outcome[part].mean()) * len(part) for part in parts]
    return float(sum(gaps) / len(order))
