"""Logistic and ridge regression of scikit-learn on standardised columns; missing values are replaced by the mean.

Each column with missing values has an indicator column beside it. Contributions of a linear model are exact: weight
times distance from the mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from training.estimators.base import Kind
from training.estimators.linear_onnx import weighted_sum

if TYPE_CHECKING:
    import optuna


class Linear:
    """Learns a weighted sum."""

    name: ClassVar[str] = "linear"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"strength": 1.0})

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggests the parameters of a trial: strength is the inverse of the regularisation."""
        return {"strength": trial.suggest_float("strength", 1e-4, 100.0, log=True)}

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> "LinearFitted":
        """Fits a weighted sum to rows (n, d) with answers (n,)."""
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        strength = float({**self.defaults, **parameters}["strength"])
        regression = LogisticRegression(C=strength, max_iter=2_000) if kind == "binary" else Ridge(alpha=1 / strength)
        pipeline = make_pipeline(
            SimpleImputer(strategy="mean", add_indicator=True, keep_empty_features=True), StandardScaler(), regression
        )
        pipeline.fit(np.asarray(inputs, np.float32), answers)
        return LinearFitted(pipeline, kind, inputs.shape[1])


@dataclass(frozen=True)
class LinearFitted:
    """A fitted pipeline of scikit-learn.

    Attributes:
        pipeline: imputation, scaling and regression.
        kind: kind of the answer.
        width: number of input columns.
    """

    pipeline: Any
    kind: Kind
    width: int

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predicts (n,) chances of yes, or numbers."""
        rows = np.asarray(inputs, np.float32)
        if self.kind == "binary":
            return np.asarray(self.pipeline.predict_proba(rows)[:, 1], np.float64)
        return np.asarray(self.pipeline.predict(rows), np.float64).reshape(-1)

    def to_onnx(self) -> bytes:
        """Exports the pipeline as one weighted sum, because the converter does not support missing-value indicators."""
        imputer, scaler, regression = (step for _, step in self.pipeline.steps)
        weights = np.ravel(regression.coef_) / scaler.scale_
        missing_weights = np.zeros(self.width)
        missing_weights[imputer.indicator_.features_] = weights[self.width :]
        bias = float(np.ravel(regression.intercept_)[0] - scaler.mean_ @ weights)
        return weighted_sum(
            np.nan_to_num(imputer.statistics_), weights[: self.width], missing_weights, bias, self.kind == "binary"
        )

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Computes (n, d + 1) contributions in log-odds or units of the answer; indicators count with their column."""
        imputer, scaler, regression = (step for _, step in self.pipeline.steps)
        scaled = scaler.transform(imputer.transform(np.asarray(inputs, np.float32)))
        weights = np.ravel(regression.coef_)
        parts = scaled * weights
        contributions = np.zeros((len(parts), self.width + 1))
        contributions[:, : self.width] = parts[:, : self.width]
        for position, column in enumerate(imputer.indicator_.features_):
            contributions[:, column] += parts[:, self.width + position]
        contributions[:, -1] = float(np.ravel(regression.intercept_)[0])
        return contributions
