"""One gradient-boosted model for all series: direct forecasts of every step ahead from lags (LightGBM).

A row of its training set is a series at an origin of the past and one step ahead; the step is an input like any other,
so that one model forecasts all of them and errors do not accumulate as they do in recursive forecasts
(Montero-Manso, Hyndman 2021, on why one model for all series does well).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from training.models.forecasting import lags
from training.models.forecasting.panel import Panel
from training.models.lightgbm_onnx import OnnxBooster
from training.threads import threads

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before LightGBM: busy waiting makes fits ten times slower

if TYPE_CHECKING:
    import lightgbm

FutureInputs = Callable[[Panel, int], np.ndarray]
"""(panel, horizon) → (n or 1, horizon, k): inputs of each step ahead that are known at the panel's end."""


@dataclass(frozen=True)
class GlobalLightGBM:
    """Settings of the model, and its booster once fitted.

    Attributes:
        name: name of the forecaster.
        difference: whether the target is the difference from one season before instead of the value.
        origins: number of past origins to train on, the newest first.
        stride: steps between two origins; a little over a quarter of the horizon if None.
        trees: number of trees.
        leaves: number of leaves of a tree.
        learning_rate: shrinkage of each tree.
        most_rows: maximal number of training rows; with more, series are sampled at each origin.
        floor: smallest spread of a series, in its units; 0.5 for counts.
        future_inputs: function for further inputs, such as the calendar of each step ahead.
        future_input_names: names of the further inputs.
        seed: seed of the samples and of LightGBM.
        threads: number of threads of LightGBM.
        booster: fitted booster; None before the fit or without enough data.
    """

    name: str = "global_lightgbm"
    difference: bool = False
    origins: int = 24
    stride: int | None = None
    trees: int = 400
    leaves: int = 63
    learning_rate: float = 0.05
    most_rows: int = 1_500_000
    floor: float = 0.0
    future_inputs: FutureInputs | None = None
    future_input_names: tuple[str, ...] = ()
    seed: int = 0
    threads: int = field(default_factory=threads)
    booster: "lightgbm.Booster | OnnxBooster | None" = field(default=None, compare=False)

    def inputs(self, panel: Panel, horizon: int) -> tuple[np.ndarray, lags.Lagged]:
        """Builds the inputs at the panel's end, (n × horizon, d) float32, series by series; and their scaling."""
        lagged = lags.lagged(panel.values, horizon, panel.seasons, self.floor)
        parts = [lagged.inputs]
        if self.future_inputs is not None:
            extra = np.asarray(self.future_inputs(panel, horizon), np.float32)
            parts.append(np.broadcast_to(extra, (len(panel), horizon, extra.shape[2])))
        inputs = np.concatenate(parts, axis=2) if len(parts) > 1 else lagged.inputs
        return inputs.reshape(-1, inputs.shape[2]), lagged

    def names(self, panel: Panel) -> list[str]:
        """Returns the names of the inputs."""
        return [*lags.names(panel.seasons), *self.future_input_names]

    def training_rows(self, panel: Panel, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Builds inputs (m, d) and targets (m,) at origins at least a horizon before the panel's end."""
        stride = self.stride or max(1, horizon // 4 + (horizon > 4))
        backs = [horizon + stride * number for number in range(self.origins)]
        backs = [back for back in backs if panel.steps - back >= 2]
        if not backs or not len(panel):
            return np.zeros((0, len(self.names(panel))), np.float32), np.zeros(0, np.float32)
        rng = np.random.default_rng(self.seed)
        max_series = max(self.most_rows // (len(backs) * horizon), 1)
        inputs, targets = [], []
        for back in backs:
            began = np.isfinite(panel.values[:, panel.steps - back - 1])
            chosen = np.flatnonzero(began)
            if len(chosen) > max_series:
                chosen = np.sort(rng.choice(chosen, max_series, replace=False))
            sampled = panel.take(chosen)
            rows, lagged = self.inputs(sampled.back(back), horizon)
            target = lagged.scaled(sampled.truth(back, horizon)).reshape(-1)
            if self.difference:
                target = target - _last_season(rows)
            inputs.append(rows)
            targets.append(target.astype(np.float32))
        return np.concatenate(inputs), np.concatenate(targets)

    def fit(self, panel: Panel, horizon: int) -> "GlobalLightGBM":
        """Learns from the panel's past; with too few rows, forecasts will be the recent mean."""
        import lightgbm

        inputs, targets = self.training_rows(panel, horizon)
        finite = np.isfinite(targets)
        if finite.sum() < 20:
            return replace(self, booster=None)
        data = lightgbm.Dataset(inputs[finite], targets[finite], feature_name=self.names(panel), free_raw_data=True)
        return replace(self, booster=lightgbm.train(self._parameters(int(finite.sum())), data, self.trees))

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Forecasts every series: (n, horizon)."""
        rows, lagged = self.inputs(panel, horizon)
        if self.booster is None or not len(panel):
            return panel.bounded(np.repeat(lagged.level, horizon, axis=1))
        scaled = np.asarray(self.booster.predict(rows, num_threads=self.threads))
        if self.difference:
            scaled = scaled + _last_season(rows)
        return panel.bounded(lagged.unscaled(scaled.reshape(-1, horizon)))

    def _parameters(self, rows: int) -> dict[str, Any]:
        return {
            "objective": "l1",
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": int(np.clip(rows // 2_000, 5, 50)),
            "feature_fraction": 0.6,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "max_bin": 127,
            "num_threads": self.threads,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }


def _last_season(rows: np.ndarray) -> np.ndarray:
    """Returns the value one season before each step, (m,), from the first column; 0, the recent mean, if missing."""
    return np.nan_to_num(rows[:, 0])
