"""Gradient boosted trees of XGBoost (Chen and Guestrin 2016); contributions are its own TreeSHAP."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from training.estimators.base import INPUT, Kind

if TYPE_CHECKING:
    import optuna
    import xgboost


class XgBoostTrees:
    """Learns gradient boosted trees with XGBoost."""

    name: ClassVar[str] = "xgboost"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            "trees": 150,
            "learning_rate": 0.05,
            "max_depth": 4,
            "min_child_weight": 10.0,
            "colsample_bytree": 0.8,
            "reg_lambda": 1.0,
        }
    )

    def suggest(self, trial: "optuna.Trial") -> dict[str, Any]:
        """Suggests the parameters of a trial."""
        return {
            "trees": trial.suggest_int("trees", 40, 400, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "max_depth": trial.suggest_int("max_depth", 2, 8),
            "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 100.0, log=True),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.4, 1.0),
            "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 30.0, log=True),
        }

    def fit(
        self, inputs: np.ndarray, answers: np.ndarray, kind: Kind, parameters: Mapping[str, Any], seed: int = 0
    ) -> "XgBoostFitted":
        """Fits trees to rows (n, d) with answers (n,)."""
        import xgboost

        merged = {**self.defaults, **parameters}
        settings = {
            "objective": "binary:logistic" if kind == "binary" else "reg:squarederror",
            "tree_method": "hist",
            "nthread": 1,
            "seed": seed,
            "verbosity": 0,
            **{name: value for name, value in merged.items() if name != "trees"},
        }
        data = xgboost.DMatrix(inputs, label=np.asarray(answers, np.float32))
        return XgBoostFitted(xgboost.train(settings, data, int(merged["trees"])), inputs.shape[1])


@dataclass(frozen=True)
class XgBoostFitted:
    """A fitted XGBoost model.

    Attributes:
        booster: the trees.
        width: number of input columns.
    """

    booster: "xgboost.Booster"
    width: int

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predicts (n,) chances of yes, or numbers."""
        import xgboost

        return np.asarray(self.booster.predict(xgboost.DMatrix(inputs)), np.float64)

    def to_onnx(self) -> bytes:
        """Exports the trees for serving."""
        from onnxmltools import convert_xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        model = convert_xgboost(
            self.booster, name="model", initial_types=[(INPUT, FloatTensorType([None, self.width]))]
        )
        return bytes(model.SerializeToString())

    def contributions(self, inputs: np.ndarray) -> np.ndarray:
        """Computes (n, d + 1) contributions in log-odds or units of the answer."""
        import xgboost

        return np.asarray(self.booster.predict(xgboost.DMatrix(inputs), pred_contribs=True), np.float64)

    def native(self) -> str:
        """Serializes the model as XGBoost's own JSON, from which ``contributions`` can be computed again."""
        return self.booster.save_raw("json").decode()

    @classmethod
    def from_native(cls, text: str) -> "XgBoostFitted":
        """Reads what ``native`` wrote."""
        import xgboost

        booster = xgboost.Booster(model_file=bytearray(text.encode()))
        return cls(booster, booster.num_features())
