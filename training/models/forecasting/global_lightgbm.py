"""One gradient-boosted model for all series: direct forecasts of every step ahead from lags (LightGBM).

A row of its training set is a series at an origin of the past and one step ahead; the step is an input like any other,
so that one model forecasts all of them and errors do not accumulate as they do in recursive forecasts
(Montero-Manso, Hyndman 2021, on why one model for all series does well).

The target is the value; or its difference from one season before; or its change from the last value in units of the
mean absolute change, so that the loss is that of MASE and a level that shifted yesterday is the level of the forecast.
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


CHANGES = 3
"""Number of recent windows of ``lags`` over which the mean absolute change is computed."""
LARGEST = 50.0
"""Largest forecast on the scale of an inverse hyperbolic sine."""


@dataclass(frozen=True)
class GlobalLightGBM:
    """Settings of the model, and its booster once fitted.

    Attributes:
        name: name of the forecaster.
        difference: whether the target is the difference from one season before instead of the value.
        change: whether the target is the change from the last value, in units of the series' mean absolute change.
        log: whether series are forecast on the scale of an inverse hyperbolic sine, a logarithm that takes all values.
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
    change: bool = False
    log: bool = False
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
        if self.change:
            parts.append(self._in_changes(panel, lagged))
        if self.future_inputs is not None:
            extra = np.asarray(self.future_inputs(panel, horizon), np.float32)
            parts.append(np.broadcast_to(extra, (len(panel), horizon, extra.shape[2])))
        inputs = np.concatenate(parts, axis=2) if len(parts) > 1 else lagged.inputs
        return inputs.reshape(-1, inputs.shape[2]), lagged

    def names(self, panel: Panel) -> list[str]:
        """Returns the names of the inputs."""
        in_changes = ("lag_1_in_changes", "spread_in_changes") if self.change else ()
        return [*lags.names(panel.seasons), *in_changes, *self.future_input_names]

    def training_rows(self, panel: Panel, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Builds inputs (m, d) and targets (m,) at origins at least a horizon before the panel's end."""
        stride = self.stride or max(1, horizon // 4 + (horizon > 4))
        backs = [horizon + stride * number for number in range(self.origins)]
        backs = [back for back in backs if panel.steps - back >= 2]
        if not backs or not len(panel):
            return np.zeros((0, len(self.names(panel))), np.float32), np.zeros(0, np.float32)
        panel = _Scale.of(panel).transformed(panel) if self.log else panel
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
            center, unit = self._target_scale(panel, rows)
            target = (lagged.scaled(sampled.truth(back, horizon)).reshape(-1) - center) / unit
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
        scale = _Scale.of(panel) if self.log else None
        rows, lagged = self.inputs(panel if scale is None else scale.transformed(panel), horizon)
        if self.booster is None or not len(panel):
            forecast = np.repeat(lagged.level, horizon, axis=1)
        else:
            center, unit = self._target_scale(panel, rows)
            predicted = np.asarray(self.booster.predict(rows, num_threads=self.threads))
            forecast = lagged.unscaled((predicted * unit + center).reshape(-1, horizon))
        return panel.bounded(forecast if scale is None else scale.inverted(forecast))

    def _in_changes(self, panel: Panel, lagged: lags.Lagged) -> np.ndarray:
        """Returns the last value and the spread, in units of the mean absolute change: (n, horizon, 2)."""
        recent = panel.values[:, -CHANGES * lags.window(panel.seasons) :]
        changes = np.abs(np.diff(recent, axis=1))
        is_known = np.isfinite(changes)
        mean = np.where(is_known, changes, 0.0).sum(axis=1) / np.maximum(is_known.sum(axis=1), 1)
        ratio = np.where(mean > 0, lagged.spread[:, 0] / np.maximum(mean, np.finfo(float).tiny), 1.0)
        ratio = np.clip(ratio, 1e-6, 1e6)
        last = lagged.inputs[:, 0, lags.names(panel.seasons).index("lag_1")] if len(panel) else np.zeros(0)
        values = np.stack([last * ratio, ratio], axis=-1).astype(np.float32)
        return np.broadcast_to(values[:, None], (*lagged.inputs.shape[:2], 2))

    def _target_scale(self, panel: Panel, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns center and unit of the target in units of the series, (m,) each; 0 and 1 for the value itself."""
        if self.change:
            in_changes = len(lags.names(panel.seasons))
            unit = 1 / rows[:, in_changes + 1].astype(np.float64)
            return np.nan_to_num(rows[:, in_changes] * unit), unit
        return _last_season(rows) if self.difference else np.zeros(len(rows)), np.ones(len(rows))

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


@dataclass(frozen=True)
class _Scale:
    """The inverse hyperbolic sine of values in units (n, 1) of the typical size of each series.

    The unit is a tenth of it for series above 0, whose scale is then nearly a logarithm; others are steep around 0.
    """

    unit: np.ndarray

    @classmethod
    def of(cls, panel: Panel) -> "_Scale":
        sizes = np.where(panel.values != 0, np.abs(panel.values), np.nan)
        unit = np.array([[np.median(row[np.isfinite(row)]) if np.isfinite(row).any() else 1.0] for row in sizes])
        is_positive = ~(panel.values <= 0).any(axis=1, keepdims=True)
        return cls(unit.reshape(len(panel), 1) / np.where(is_positive, 10.0, 1.0))

    def transformed(self, panel: Panel) -> Panel:
        return replace(panel, values=np.arcsinh(panel.values / self.unit))

    def inverted(self, forecast: np.ndarray) -> np.ndarray:
        return np.sinh(np.clip(forecast, -LARGEST, LARGEST)) * self.unit


GLOBAL_CHANGE = GlobalLightGBM("global_change", change=True, trees=200, leaves=31)
"""Forecasts of changes from the last value."""
GLOBAL_LOG_CHANGE = replace(GLOBAL_CHANGE, name="global_log_change", log=True)
"""The same on a logarithmic scale, on which growth by a share is a constant change."""


def _last_season(rows: np.ndarray) -> np.ndarray:
    """Returns the value one season before each step, (m,), from the first column; 0, the recent mean, if missing."""
    return np.nan_to_num(rows[:, 0])
