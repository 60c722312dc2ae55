"""Gradient boosted trees of LightGBM (Ke et al. 2017); contributions are its own TreeSHAP (Lundberg et al. 2020)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from training.estimators.base import Kind

os.environ.setdefault(
    "OMP_WAIT_POLICY", "passive"
)  # must be set before the import: busy waiting makes fits ten times slower

if TYPE_CHECKING:
    import lightgbm
    import optuna


class LightGbmTrees:
    """Learns gradient boosted trees with LightGBM."""

    name: ClassVar[str] = "lightgbm"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "trees": 150,
            "learning_rate": 0.05,
            "num_leaves": 15,
            "min_data_in_leaf": 40,
            "feature_fraction": 0.8,
            "lambda_l2": 1.0,
        }
    )

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggests the parameters of a trial."""
        return {
            "trees": trial.suggest_int("trees", 40, 400, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 63, log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 10, 300, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.4, 1.0),
            "lambda_l2": trial.suggest_float("lambda_l2", 1e-3, 30.0, log=True),
        }

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> "LightGbmFitted":
        """Fits trees to rows (n, d) with answers (n,)."""
        import lightgbm

        merged = {**self.defaults, **parameters}
        settings = {
            "objective": "binary" if kind == "binary" else "regression",
            "num_threads": 1,
            "deterministic": True,
            "seed": seed,
            "verbose": -1,
            **{name: value for name, value in merged.items() if name != "trees"},
        }
        data = lightgbm.Dataset(inputs, np.asarray(answers, np.float64))
        return LightGbmFitted(lightgbm.train(settings, data, int(merged["trees"])))


@dataclass(frozen=True)
class LightGbmFitted:
    """A fitted LightGBM model."""

    booster: "lightgbm.Booster"

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predicts (n,) chances of yes, or numbers."""
        return np.asarray(self.booster.predict(inputs), np.float64)

    def to_onnx(self) -> bytes:
        """Exports the trees for serving."""
        from training.models.lightgbm_onnx import to_onnx

        return to_onnx(self.booster)

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Computes (n, d + 1) contributions in log-odds or units of the answer."""
        return np.asarray(self.booster.predict(inputs, pred_contrib=True), np.float64)

    def native(self) -> str:
        """Serializes the model as LightGBM's own text, from which ``contributions`` can be computed again."""
        return str(self.booster.model_to_string())

    @classmethod
    def from_native(cls, text: str) -> "LightGbmFitted":
        """Reads what ``native`` wrote."""
        import lightgbm

        return cls(lightgbm.Booster(model_str=text))
