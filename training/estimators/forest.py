"""Random forests of scikit-learn (Breiman 2001); contributions are sampled Shapley values.

scikit-learn's trees learn a side for missing values, but its ONNX converter does not export it. Missing values are
therefore replaced by a number far below all others first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from training.estimators.base import Kind
from training.estimators.shapley import sampled
from training.estimators.sklearn_onnx import to_onnx

if TYPE_CHECKING:
    import optuna

BELOW = -1e9
"""Replaces a missing value."""
BACKGROUND = 64


class Forest:
    """Learns a random forest."""

    name: ClassVar[str] = "forest"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"trees": 100, "least_rows": 20, "columns": 0.5})

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggests the parameters of a trial."""
        return {
            "trees": trial.suggest_int("trees", 40, 200, log=True),
            "least_rows": trial.suggest_int("least_rows", 5, 200, log=True),
            "columns": trial.suggest_float("columns", 0.2, 1.0),
        }

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> "ForestFitted":
        """Fits a forest to rows (n, d) with answers (n,)."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline

        settings = {**self.defaults, **parameters}
        forest_class = RandomForestClassifier if kind == "binary" else RandomForestRegressor
        trees = forest_class(
            n_estimators=int(settings["trees"]),
            min_samples_leaf=int(settings["least_rows"]),
            max_features=float(settings["columns"]),
            random_state=seed,
            n_jobs=1,
        )
        filler = SimpleImputer(strategy="constant", fill_value=BELOW, keep_empty_features=True)
        rows = np.asarray(inputs, np.float32)
        pipeline = make_pipeline(filler, trees).fit(rows, answers)
        drawn = np.random.default_rng(seed).permutation(len(rows))[:BACKGROUND]
        return ForestFitted(pipeline, kind, rows[drawn])


@dataclass(frozen=True)
class ForestFitted:
    """A fitted pipeline of scikit-learn.

    Attributes:
        pipeline: imputation and trees.
        kind: kind of the answer.
        background: (m, d) rows that contributions are measured against.
    """

    pipeline: Any
    kind: Kind
    background: np.ndarray

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predicts (n,) chances of yes, or numbers."""
        rows = np.asarray(inputs, np.float32)
        if self.kind == "binary":
            return np.asarray(self.pipeline.predict_proba(rows)[:, 1], np.float64)
        return np.asarray(self.pipeline.predict(rows), np.float64)

    def to_onnx(self) -> bytes:
        """Exports the pipeline for serving."""
        return to_onnx(self.pipeline, self.background.shape[1])

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Computes (n, d + 1) contributions in log-odds or units of the answer."""
        return sampled(self.predict, self.kind, inputs, self.background)
