"""Metrics of probabilities: ranking quality and calibration."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ProbabilityMetrics:
    """Metrics of the probabilities of one binary outcome.

    Attributes:
        brier: mean squared difference of probability and outcome (Brier 1950); lower is better.
        log_loss: mean negative log-likelihood, natural logarithm.
        roc_auc: chance that a yes is ranked above a no; NaN if all outcomes are the same.
        average_precision: area under precision over recall; NaN without a yes.
        calibration_error: mean distance of probability and frequency over ten bins of equal size.
        base_rate: share of yes.
        rows: number of rows.
    """

    brier: float
    log_loss: float
    roc_auc: float
    average_precision: float
    calibration_error: float
    base_rate: float
    rows: int


def probability_metrics(outcome: np.ndarray, probability: np.ndarray) -> ProbabilityMetrics:
    """Measures probabilities (n,) of outcomes (n,) 0 or 1."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    outcome, probability = np.asarray(outcome, np.float64), np.asarray(probability, np.float64)
    if not len(outcome):
        nan = float("nan")
        return ProbabilityMetrics(nan, nan, nan, nan, nan, nan, rows=0)
    has_both_outcomes = 0 < outcome.sum() < len(outcome)
    clipped = np.clip(probability, 1e-7, 1 - 1e-7)
    return ProbabilityMetrics(
        brier=float(np.mean((probability - outcome) ** 2)),
        log_loss=float(-np.mean(outcome * np.log(clipped) + (1 - outcome) * np.log1p(-clipped))),
        roc_auc=float(roc_auc_score(outcome, probability)) if has_both_outcomes else float("nan"),
        average_precision=float(average_precision_score(outcome, probability)) if outcome.any() else float("nan"),
        calibration_error=calibration_error(outcome, probability),
        base_rate=float(outcome.mean()),
        rows=len(outcome),
    )


def calibration_error(outcome: np.ndarray, probability: np.ndarray, bins: int = 10) -> float:
    """Computes the expected calibration error: the mean of |mean probability − share of yes| over bins of equal size.

    >>> calibration_error(np.array([0, 1]), np.array([0.0, 1.0]))
    0.0
    """
    order = np.argsort(probability, kind="stable")
    bins_of_rows = [rows for rows in np.array_split(order, bins) if len(rows)]
    gaps = [abs(probability[rows].mean() - outcome[rows].mean()) * len(rows) for rows in bins_of_rows]
    return float(sum(gaps) / len(order))
