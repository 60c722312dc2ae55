"""The test of a tabular model: its figures by row, beside a constant, a linear model and a fit on permuted labels."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np

from training.datasets.sample import drawn
from training.datasets.tabular import TabularSet
from training.estimators import Fitted
from training.estimators.base import Kind
from training.evaluate.probabilities import probability_metrics
from training.models.tabular_problem import losses
from training.validation.cross_validation import Fold
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence
from training.validation.familiar import familiar
from transforms.pure.tabular.layout import Layout

PERMUTED_ROWS = 10_000
"""Maximum number of training rows whose labels are permuted for the floor."""
PROBABILITY_FIGURES = ("log_loss", "roc_auc", "average_precision", "calibration_error")
FitLabels = Callable[[TabularSet, np.ndarray], Fitted]
"""Fits a learner to rows and (n,) labels of them."""


def measure(
    kind: Kind,
    train: TabularSet,
    test: TabularSet,
    layout: Layout,
    fitted: Fitted,
    fit_model: FitLabels,
    fit_linear: FitLabels | None,
    *,
    seed: int = 0,
) -> tuple[Evidence, dict[str, dict[str, float]]]:
    """Measures a fitted model on the test rows.

    Args:
        kind: kind of the label.
        train: training rows.
        test: test rows.
        layout: columns of the inputs.
        fitted: the model, fitted to the training rows.
        fit_model: fits the model's learner, for the floor.
        fit_linear: fits the linear baseline; None if the model is one.
        seed: seed of the permutation.

    Returns:
        The evidence by row, and model or baseline → figures; ``MODEL_KEY`` is the model.
    """
    inputs = layout.matrix(test.features)
    constant = float(train.labels.mean() if kind == "binary" else np.median(train.labels))
    answers = {MODEL_KEY: fitted.predict(inputs), "constant": np.full(len(test), constant)}
    if fit_linear is not None:
        answers["linear"] = _answers_if_fitted(fit_linear, train, inputs)
    floor_rows = train.take(drawn(len(train), PERMUTED_ROWS, seed))
    permuted_labels = np.random.default_rng(seed).permutation(floor_rows.labels)
    floor = fit_model(floor_rows, permuted_labels).predict(inputs)
    evidence = Evidence.of(
        "log_loss" if kind == "binary" else "absolute_error",
        test.units,
        {method: losses(kind, values, test.labels) for method, values in {**answers, PERMUTED: floor}.items()},
        clusters=test.clusters,
        segments=test.segments,
        outcome=test.labels if kind == "binary" else None,
        chance=answers[MODEL_KEY] if kind == "binary" else None,
        familiar=familiar(
            layout.matrix(train.features), inputs, train.labels, test.labels, (train.clusters, test.clusters)
        ),
    )
    figures = _probability_figures if kind == "binary" else _number_figures
    return evidence, {method: figures(test.labels, values) for method, values in answers.items()}


def linear_is_better(
    kind: Kind, train: TabularSet, layout: Layout, folds: Sequence[Fold], fit_model: FitLabels, fit_linear: FitLabels
) -> bool:
    """Compares a learner with a linear model on the last fold of the training rows; the test takes no part.

    Args:
        kind: kind of the label.
        train: training rows.
        layout: columns of the inputs.
        folds: folds within the training rows; without any, the learner stays.
        fit_model: fits the learner.
        fit_linear: fits the linear model.
    """
    if not folds:
        return False
    earlier, later = (train.take(positions) for positions in folds[-1])
    inputs = layout.matrix(later.features)
    linear = _answers_if_fitted(fit_linear, earlier, inputs)
    if not np.isfinite(linear).all():
        return False
    learned = fit_model(earlier, earlier.labels).predict(inputs)
    return float(losses(kind, linear, later.labels).mean()) < float(losses(kind, learned, later.labels).mean())


def _answers_if_fitted(fit_linear: FitLabels, train: TabularSet, inputs: np.ndarray) -> np.ndarray:
    """Returns the answers of the baseline; NaN if it cannot be fitted, so that the gates are undecided."""
    try:
        return fit_linear(train, train.labels).predict(inputs)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        return np.full(len(inputs), np.nan)


def _probability_figures(labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    if not np.isfinite(answers).all():  # a baseline that could not be fitted
        return dict.fromkeys(PROBABILITY_FIGURES, float("nan"))
    metrics = asdict(probability_metrics(labels, answers))
    return {name: float(metrics[name]) for name in PROBABILITY_FIGURES}


def _number_figures(labels: np.ndarray, answers: np.ndarray) -> dict[str, float]:
    error = answers - labels
    spread = float(((labels - labels.mean()) ** 2).sum())
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "r_squared": 1 - float((error**2).sum()) / spread if spread else float("nan"),
    }
