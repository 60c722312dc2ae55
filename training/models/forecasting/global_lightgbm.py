"""One gradient-boosted model for all series: direct forecasts of every step ahead from lags (LightGBM).

A row of its training set is a series at an origin of the past and one step ahead; the step is an input like any other,
so that one model answers for all of them and errors do not feed on themselves as they do in recursive forecasts
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

Known = Callable[[Panel, int], np.ndarray]
"""(panel, horizon) → (n or 1, horizon, k): what is known at the panel's end of each step ahead."""


@dataclass(frozen=True)
class GlobalLightGBM:
    """The model, fitted or not.

    Attributes:
        name: of the forecaster.
        difference: learn the difference from one season before instead of the value.
        origins: of the past to learn from, the newest first.
        stride: steps between two of them; a little over a quarter of the horizon if None.
        trees: how many.
        leaves: of a tree.
        learning_rate: shrinkage of each tree.
        most_rows: of the training set; beyond, series are drawn for each origin.
        floor: smallest spread of a series, in its units; 0.5 for counts.
        known: more inputs, such as the calendar of each step ahead.
        known_names: of these inputs.
        seed: of the draws, and of LightGBM.
        threads: of LightGBM.
        booster: once fitted.
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
    known: Known | None = None
    known_names: tuple[str, ...] = ()
    seed: int = 0
    threads: int = field(default_factory=threads)
    booster: "lightgbm.Booster | OnnxBooster | None" = field(default=None, compare=False)

    def inputs(self, panel: Panel, horizon: int) -> tuple[np.ndarray, lags.Lagged]:
        """(n × horizon, d) float32 at the panel's end, series by series; and how to scale what they belong to."""
        made = lags.lagged(panel.values, horizon, panel.seasons, self.floor)
        parts = [made.inputs]
        if self.known is not None:
            more = np.asarray(self.known(panel, horizon), np.float32)
            parts.append(np.broadcast_to(more, (len(panel), horizon, more.shape[2])))
        inputs = np.concatenate(parts, axis=2) if len(parts) > 1 else made.inputs
        return inputs.reshape(-1, inputs.shape[2]), made

    def names(self, panel: Panel) -> list[str]:
        """Of the inputs."""
        return [*lags.names(panel.seasons), *self.known_names]

    def training_rows(self, panel: Panel, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (m, d) and targets (m,) at origins that lie at least a horizon before the panel's end."""
        stride = self.stride or max(1, horizon // 4 + (horizon > 4))
        backs = [horizon + stride * number for number in range(self.origins)]
        backs = [back for back in backs if panel.steps - back >= 2]
        if not backs or not len(panel):
            return np.zeros((0, len(self.names(panel))), np.float32), np.zeros(0, np.float32)
        rng = np.random.default_rng(self.seed)
        most = max(self.most_rows // (len(backs) * horizon), 1)
        inputs, targets = [], []
        for back in backs:
            began = np.isfinite(panel.values[:, panel.steps - back - 1])
            chosen = np.flatnonzero(began)
            if len(chosen) > most:
                chosen = np.sort(rng.choice(chosen, most, replace=False))
            some = panel.take(chosen)
            rows, made = self.inputs(some.back(back), horizon)
            target = made.scaled(some.truth(back, horizon)).reshape(-1)
            if self.difference:
                target = target - _reference(rows)
            inputs.append(rows)
            targets.append(target.astype(np.float32))
        return np.concatenate(inputs), np.concatenate(targets)

    def fit(self, panel: Panel, horizon: int) -> "GlobalLightGBM":
        """Learn from the panel's past; without enough of it, a forecast is the recent mean."""
        import lightgbm

        inputs, targets = self.training_rows(panel, horizon)
        good = np.isfinite(targets)
        if good.sum() < 20:
            return replace(self, booster=None)
        data = lightgbm.Dataset(inputs[good], targets[good], feature_name=self.names(panel), free_raw_data=True)
        return replace(self, booster=lightgbm.train(self._parameters(int(good.sum())), data, self.trees))

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n, horizon)."""
        rows, made = self.inputs(panel, horizon)
        if self.booster is None or not len(panel):
            return panel.bounded(np.repeat(made.level, horizon, axis=1))
        scaled = np.asarray(self.booster.predict(rows, num_threads=self.threads))
        if self.difference:
            scaled = scaled + _reference(rows)
        return panel.bounded(made.unscaled(scaled.reshape(-1, horizon)))

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


def _reference(rows: np.ndarray) -> np.ndarray:
    """(m,) the value one season before the step, as the first column has it; 0, the recent mean, if it is not known."""
    return np.nan_to_num(rows[:, 0])
