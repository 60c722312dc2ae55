"""Logistic and ridge regression of scikit-learn on standardised columns; what is missing is taken for the mean.

Beside each column with missing values stands another that says so. Contributions of a linear model are exact: weight
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
        """Parameters to try: strength is the inverse of the regularisation."""
        return {"strength": trial.suggest_float("strength", 1e-4, 100.0, log=True)}

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> "LinearFitted":
        """Learn answers (n,) of rows (n, d)."""
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression, Ridge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        strength = float({**self.defaults, **parameters}["strength"])
        top = LogisticRegression(C=strength, max_iter=2_000) if kind == "binary" else Ridge(alpha=1 / strength)
        whole = make_pipeline(
            SimpleImputer(strategy="mean", add_indicator=True, keep_empty_features=True), StandardScaler(), top
        )
        whole.fit(np.asarray(inputs, np.float32), answers)
        return LinearFitted(whole, kind, inputs.shape[1])


@dataclass(frozen=True)
class LinearFitted:
    """A pipeline of scikit-learn.

    Attributes:
        pipeline: filling, scaling, weighing.
        kind: of answer.
        width: columns of its input.
    """

    pipeline: Any
    kind: Kind
    width: int

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """(n,) chances of yes, or numbers."""
        rows = np.asarray(inputs, np.float32)
        if self.kind == "binary":
            return np.asarray(self.pipeline.predict_proba(rows)[:, 1], np.float64)
        return np.asarray(self.pipeline.predict(rows), np.float64).reshape(-1)

    def to_onnx(self) -> bytes:
        """For serving: the pipeline as one weighted sum; the converter knows no indicators of missing values."""
        filler, scaler, top = (step for _, step in self.pipeline.steps)
        weights = np.ravel(top.coef_) / scaler.scale_
        absent = np.zeros(self.width)
        absent[filler.indicator_.features_] = weights[self.width :]
        bias = float(np.ravel(top.intercept_)[0] - scaler.mean_ @ weights)
        return weighted_sum(
            np.nan_to_num(filler.statistics_), weights[: self.width], absent, bias, self.kind == "binary"
        )

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """(n, d + 1) in log-odds or units of the answer; a column's own and what its being missing says are one."""
        filler, scaler, top = (step for _, step in self.pipeline.steps)
        scaled = scaler.transform(filler.transform(np.asarray(inputs, np.float32)))
        weights = np.ravel(top.coef_)
        parts = scaled * weights
        found = np.zeros((len(parts), self.width + 1))
        found[:, : self.width] = parts[:, : self.width]
        for place, column in enumerate(filler.indicator_.features_):
            found[:, column] += parts[:, self.width + place]
        found[:, -1] = float(np.ravel(top.intercept_)[0])
        return found
