"""Rolling origins: what each forecaster would have said, knowing only what came before."""

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
from training.validation.evidence import OURS, Evidence

FEW = 20
"""Series below which intervals are over origins."""


class Forecaster(Protocol):
    """See ``training.models.forecasting``."""

    @property
    def name(self) -> str:
        """Of the forecaster."""
        ...

    def fit(self, panel: Panel, horizon: int) -> "Forecaster":
        """Learn what is common to all series."""
        ...

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n, horizon)."""
        ...


@dataclass(frozen=True)
class Backtest:
    """Forecasts at o origins of n series over h steps.

    Attributes:
        forecasts: name → (o, n, h).
        truth: (o, n, h), NaN where not known.
        scale: (o, n) of MASE, as of the origin; NaN for a series that never changed.
        origins: (o,) steps that the longest series had at each origin.
    """

    forecasts: dict[str, np.ndarray]
    truth: np.ndarray
    scale: np.ndarray
    origins: np.ndarray

    @property
    def measurable(self) -> np.ndarray:
        """(o, n, h) where there is a truth and a scale."""
        return np.isfinite(self.truth) & np.isfinite(self.scale)[:, :, None]

    def members(self, names: Sequence[str]) -> Members:
        """Some forecasters' scaled forecasts where they can be measured, for an ensemble to learn from."""
        some = self.measurable
        scale = np.broadcast_to(self.scale[:, :, None], self.truth.shape)[some]
        steps = np.arange(self.truth.shape[2])
        happened = np.broadcast_to((self.origins[:, None] + steps)[:, None], self.truth.shape)[some]
        known = np.broadcast_to(self.origins[:, None, None], self.truth.shape)[some]
        series = np.broadcast_to(np.arange(self.truth.shape[1])[None, :, None], self.truth.shape)[some]
        return Members.out_of_time(
            {name: self.forecasts[name][some] / scale for name in names},
            self.truth[some] / scale,
            happened=happened,
            known_until=dict.fromkeys(names, known),
            group=series,
        )

    def metrics(self, forecast: np.ndarray, quantiles: Mapping[float, np.ndarray] | None = None) -> ForecastMetrics:
        """Of forecasts (o, n, h), over all origins."""
        steps = self.truth.shape[2]
        flat = {level: values.reshape(-1, steps) for level, values in (quantiles or {}).items()}
        return forecast_metrics(
            self.truth.reshape(-1, steps), forecast.reshape(-1, steps), self.scale.reshape(-1), flat
        )

    def evidence(self, said: np.ndarray, panel: Panel, baselines: Sequence[str]) -> Evidence:
        """Mean absolute scaled error of each series at each origin, beside those of some forecasters.

        Args:
            said: (o, n, h) by the model.
            panel: whose names and time the series have.
            baselines: forecasters of this backtest.
        """
        some = self.measurable
        count = np.maximum(some.sum(axis=2), 1)

        def errors(values: np.ndarray) -> np.ndarray:
            wrong = np.where(some, np.abs(values - self.truth), 0.0).sum(axis=2) / count
            return np.where(some.any(axis=2), wrong / self.scale, np.nan).reshape(-1)

        moments = [panel.end - (panel.steps - int(steps)) * panel.step for steps in self.origins]
        names = [f"{name}@{moment:%Y-%m-%dT%H}" for moment in moments for name in panel.ids]
        values = {OURS: errors(said), **{name: errors(self.forecasts[name]) for name in baselines}}
        series = [*panel.ids] * len(moments)  # of few series, each origin has to speak for itself
        return Evidence.of("scaled_error", names, values, clusters=series if len(panel.ids) >= FEW else ())

    def only(self, chosen: np.ndarray) -> "Backtest":
        """Some of the series."""
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
    """Ask every forecaster at every origin, fitted anew at each.

    Args:
        panel: all that is known.
        forecasters: whom.
        horizon: steps ahead.
        backs: origins, in steps before the panel's end; below ``horizon``, the last steps have no truth.
        progress: told after each answer.

    Raises:
        InputError: an origin lies before everything.
    """
    if not backs or max(backs) >= panel.steps:
        raise InputError(
            expected=f"series of more than {max(backs, default=1)} steps to look back over {len(backs)} origins",
            found=f"{panel.steps} steps",
            next_command="python -m transforms import FORMAT PATH  (more days), or ask for a shorter horizon",
        )
    forecasts: dict[str, list[np.ndarray]] = {one.name: [] for one in forecasters}
    truth, scale = [], []
    for place, back in enumerate(backs):
        past = panel.back(back)
        truth.append(np.where(_begun(past)[:, None], panel.truth(back, horizon), np.nan))
        scale.append(mase_scale(past.values, panel.season))
        for number, one in enumerate(forecasters):
            forecasts[one.name].append(one.fit(past, horizon).forecast(past, horizon))
            progress(place * len(forecasters) + number + 1, len(backs) * len(forecasters), f"{one.name} −{back}")
    origins = np.array([panel.steps - back for back in backs])
    stacked = {name: np.stack(values) for name, values in forecasts.items()}
    return Backtest(stacked, np.stack(truth), np.stack(scale), origins)


def owa_loss(reference: ForecastMetrics) -> Loss:
    """The loss of M4, of scaled truths and forecasts: sMAPE and MASE, each by that of a reference (Naive2)."""

    def loss(truth: np.ndarray, forecast: np.ndarray) -> float:
        percentage = float(np.mean(smape(truth, forecast))) / reference.smape
        return (percentage + float(np.mean(np.abs(truth - forecast))) / reference.mase) / 2

    return loss


def _begun(panel: Panel) -> np.ndarray:
    return panel.lengths > 0
