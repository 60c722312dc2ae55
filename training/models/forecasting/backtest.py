"""Backtests over rolling origins: forecasts made with only the data before each origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from training.evaluate import ForecastMetrics, forecast_metrics, mase_scale, smape
from training.models.ensemble import Members
from training.models.ensemble.weighted import Loss
from training.models.forecasting.panel import Panel
from training.validation.evidence import MODEL_KEY, PERMUTED, Evidence

FEW = 20
"""Number of series below which confidence intervals are over origins instead of series."""


class Forecaster(Protocol):
    """A model of forecasts; see ``training.models.forecasting``."""

    @property
    def name(self) -> str:
        """The name of the forecaster."""
        ...

    def fit(self, panel: Panel, horizon: int) -> "Forecaster":
        """Learns what is common to all series."""
        ...

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Forecasts every series: (n, horizon)."""
        ...


@dataclass(frozen=True)
class Backtest:
    """Forecasts at o origins of n series over h steps.

    Attributes:
        forecasts: forecaster → forecasts (o, n, h).
        truth: (o, n, h) actual values, NaN where unknown.
        scale: (o, n) MASE scale as of the origin; NaN for a series that never changed.
        origins: (o,) number of steps of the longest series at each origin.
    """

    forecasts: dict[str, np.ndarray]
    truth: np.ndarray
    scale: np.ndarray
    origins: np.ndarray

    @property
    def measurable(self) -> np.ndarray:
        """(o, n, h) True where there are a truth and a scale."""
        return np.isfinite(self.truth) & np.isfinite(self.scale)[:, :, None]

    def members(self, names: Sequence[str]) -> Members:
        """Returns the scaled, measurable forecasts of the named forecasters, for an ensemble to learn from."""
        mask = self.measurable
        scale = np.broadcast_to(self.scale[:, :, None], self.truth.shape)[mask]
        steps = np.arange(self.truth.shape[2])
        target_steps = np.broadcast_to((self.origins[:, None] + steps)[:, None], self.truth.shape)[mask]
        origin_steps = np.broadcast_to(self.origins[:, None, None], self.truth.shape)[mask]
        series = np.broadcast_to(np.arange(self.truth.shape[1])[None, :, None], self.truth.shape)[mask]
        return Members.out_of_time(
            {name: self.forecasts[name][mask] / scale for name in names},
            self.truth[mask] / scale,
            happened=target_steps,
            known_until=dict.fromkeys(names, origin_steps),
            group=series,
        )

    def metrics(self, forecast: np.ndarray, quantiles: Mapping[float, np.ndarray] | None = None) -> ForecastMetrics:
        """Computes the metrics of forecasts (o, n, h) over all origins."""
        steps = self.truth.shape[2]
        flat = {level: values.reshape(-1, steps) for level, values in (quantiles or {}).items()}
        return forecast_metrics(
            self.truth.reshape(-1, steps), forecast.reshape(-1, steps), self.scale.reshape(-1), flat
        )

    def evidence(
        self, forecasts: np.ndarray, panel: Panel, baselines: Sequence[str], floor: np.ndarray | None = None
    ) -> Evidence:
        """Returns the mean absolute scaled error of each series at each origin, for the model and baselines.

        Args:
            forecasts: (o, n, h) forecasts of the model.
            panel: panel with the names and times of the series.
            baselines: names of forecasters of this backtest.
            floor: (o, n, h) forecasts from permuted histories, NaN for series without (``permuted_forecasts``).
        """
        mask = self.measurable
        count = np.maximum(mask.sum(axis=2), 1)

        def errors(values: np.ndarray) -> np.ndarray:
            mean_errors = np.where(mask, np.abs(values - self.truth), 0.0).sum(axis=2) / count
            return np.where(mask.any(axis=2), mean_errors / self.scale, np.nan).reshape(-1)

        origins = [panel.end - (panel.steps - int(steps)) * panel.step for steps in self.origins]
        names = [f"{name}@{moment:%Y-%m-%dT%H}" for moment in origins for name in panel.ids]
        values = {MODEL_KEY: errors(forecasts), **{name: errors(self.forecasts[name]) for name in baselines}}
        if floor is not None:
            values[PERMUTED] = errors(floor)
        series = [*panel.ids] * len(origins)  # with few series, each origin is a unit of its own
        clusters = series if len(panel.ids) >= FEW else ()
        return Evidence.of("scaled_error", names, values, clusters=clusters, segments={"size": self._sizes()})

    def _sizes(self) -> list[str]:
        """Returns the third of each series at each origin by its scale: ``small``, ``medium`` or ``large``."""
        thirds = np.argsort(np.argsort(self.scale, axis=1, kind="stable"), axis=1) * 3 // max(self.scale.shape[1], 1)
        return [("small", "medium", "large")[third] for third in thirds.reshape(-1).tolist()]

    def only(self, chosen: np.ndarray) -> "Backtest":
        """Selects series by a mask or by numbers."""
        return Backtest(
            {name: values[:, chosen] for name, values in self.forecasts.items()},
            self.truth[:, chosen],
            self.scale[:, chosen],
            self.origins,
        )


def backtest(
    panel: Panel,
    forecasters: Sequence[Forecaster],
    horizon: int,
    backs: Sequence[int],
    *,
    progress: Progress = silent,
) -> Backtest:
    """Forecasts with every forecaster at every origin, refitted at each.

    Args:
        panel: all series.
        forecasters: forecasters to test.
        horizon: number of steps to forecast.
        backs: origins, in steps before the panel's end; below ``horizon``, the last steps have no truth.
        progress: callback after each forecast.

    Raises:
        InputError: an origin is before the first step.
    """
    if not backs or max(backs) >= panel.steps:
        raise InputError(
            expected=f"series of more than {max(backs, default=1)} steps for a backtest over {len(backs)} origins",
            found=f"{panel.steps} steps",
            next_command="refrain import FORMAT PATH  (more days), or ask for a shorter horizon",
        )
    forecasts: dict[str, list[np.ndarray]] = {forecaster.name: [] for forecaster in forecasters}
    truth, scale = [], []
    for origin, back in enumerate(backs):
        past = panel.back(back)
        truth.append(np.where(_has_begun(past)[:, None], panel.truth(back, horizon), np.nan))
        scale.append(mase_scale(past.values, panel.season))
        for member, forecaster in enumerate(forecasters):
            forecasts[forecaster.name].append(forecaster.fit(past, horizon).forecast(past, horizon))
            progress(
                origin * len(forecasters) + member + 1, len(backs) * len(forecasters), f"{forecaster.name} −{back}"
            )
    origins = np.array([panel.steps - back for back in backs])
    forecasts_by_name = {name: np.stack(values) for name, values in forecasts.items()}
    return Backtest(forecasts_by_name, np.stack(truth), np.stack(scale), origins)


def owa_loss(reference: ForecastMetrics) -> Loss:
    """Builds the OWA loss of M4: sMAPE and MASE of scaled values, each relative to a reference (Naive2)."""

    def loss(truth: np.ndarray, forecast: np.ndarray) -> float:
        percentage = float(np.mean(smape(truth, forecast))) / reference.smape
        return (percentage + float(np.mean(np.abs(truth - forecast))) / reference.mase) / 2

    return loss


def _has_begun(panel: Panel) -> np.ndarray:
    return panel.lengths > 0
