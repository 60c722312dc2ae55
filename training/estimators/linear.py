"""Logistic and ridge regression of scikit-learn on standardised columns; missing values are replaced by the mean.

Each column with missing values has an indicator column beside it. Contributions of a linear model are exact: weight
times distance from the mean.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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

    @property
    def terms(self) -> "LinearTerms":
        """The weights alone, without scikit-learn."""
        imputer, scaler, regression = (step for _, step in self.pipeline.steps)
        weights = np.ravel(regression.coef_) / scaler.scale_
        missing_means, missing_weights = np.zeros(self.width), np.zeros(self.width)
        missing_means[imputer.indicator_.features_] = scaler.mean_[self.width :]
        missing_weights[imputer.indicator_.features_] = weights[self.width :]
        return LinearTerms(
            np.nan_to_num(imputer.statistics_),
            scaler.mean_[: self.width],
            weights[: self.width],
            missing_means,
            missing_weights,
            float(np.ravel(regression.intercept_)[0]),
        )

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Computes (n, d + 1) contributions in log-odds or units of the answer; indicators count with their column."""
        return self.terms.contributions(inputs)

    def native(self) -> str:
        """Serializes the weights as JSON, from which ``contributions`` can be computed again."""
        return self.terms.to_json()


@dataclass(frozen=True)
class LinearTerms:
    """A weighted sum of distances from means.

    Attributes:
        fill: (d,) value that stands for a missing one.
        means: (d,) mean of each column.
        weights: (d,) weight of each column.
        missing_means: (d,) share of missing values; 0 for a column without indicator.
        missing_weights: (d,) weight of the indicator of missing values; 0 likewise.
        base: the sum for a row of means.
    """

    fill: np.ndarray
    means: np.ndarray
    weights: np.ndarray
    missing_means: np.ndarray
    missing_weights: np.ndarray
    base: float

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Computes (n, d + 1) contributions; the base value is in the last column."""
        rows = np.asarray(inputs, np.float32).astype(np.float64)
        is_missing = np.isnan(rows)
        parts = (np.where(is_missing, self.fill, rows) - self.means) * self.weights
        parts += (is_missing - self.missing_means) * self.missing_weights
        return np.column_stack([parts, np.full(len(parts), self.base)])

    def to_json(self) -> str:
        """Serializes the weights."""
        return json.dumps({name: np.asarray(part).tolist() for name, part in asdict(self).items()})

    @classmethod
    def from_native(cls, text: str) -> "LinearTerms":
        """Reads what ``to_json`` wrote."""
        parts = json.loads(text)
        return cls(base=float(parts.pop("base")), **{name: np.array(part) for name, part in parts.items()})
