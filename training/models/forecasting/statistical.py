"""Models of single series, by statsforecast."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.models.forecasting.naive import SeasonalNaive
from training.models.forecasting.panel import Panel
from transforms.processes import worker_pool

LEAST = 8
"""Number of steps below which a series gets the fallback."""

_MIN_PARALLEL = 60
"""Number of series below which one process does everything."""


@dataclass(frozen=True)
class Statistical:
    """A model of statsforecast, fitted to each series separately.

    A series gets the seasonal naive if it is too short or constant, or if the model fails on it.

    Attributes:
        name: name of the forecaster.
        model: function from the seasons of the panel to a model of statsforecast.
        last: number of last steps of each series to fit on; all if None.
        most_wild: distance beyond the range of a series, in units of that range, above which a forecast failed.
    """

    name: str
    model: Callable[[tuple[int, ...]], Any]
    last: int | None = None
    most_wild: float = 3.0

    def fit(self, panel: Panel, horizon: int) -> "Statistical":
        """Returns the forecaster unchanged; nothing is learned across series."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Forecasts every series, (n, horizon), in several processes where there are many series."""
        forecasts = SeasonalNaive().forecast(panel, horizon)
        min_steps = max(LEAST, 2 * max(panel.seasons, default=1) + 2)
        jobs = []
        for number, row in enumerate(panel.values):
            series = row[np.isfinite(row)][-(self.last or len(row)) :]
            if len(series) >= min_steps and np.ptp(series) > 0:
                jobs.append((number, series))
        for number, forecast in self._forecast_each(jobs, panel.seasons, horizon):
            low, high = np.nanmin(panel.values[number]), np.nanmax(panel.values[number])
            margin = self.most_wild * (high - low)
            if forecast is not None and np.all((forecast > low - margin) & (forecast < high + margin)):
                forecasts[number] = forecast
        return panel.bounded(forecasts)

    def _forecast_each(self, jobs: list, seasons: tuple[int, ...], horizon: int) -> list[tuple[int, np.ndarray | None]]:
        cores = min(os.cpu_count() or 1, 4)
        if len(jobs) < _MIN_PARALLEL or cores == 1:
            return _forecast(self.model, jobs, seasons, horizon)
        chunks = [jobs[start :: cores * 4] for start in range(cores * 4)]
        with worker_pool(cores, "forkserver") as pool:
            futures = [pool.submit(_forecast, self.model, chunk, seasons, horizon) for chunk in chunks]
            return [pair for future in futures for pair in future.result()]


def _forecast(
    model: Callable[[tuple[int, ...]], Any], jobs: list, seasons: tuple[int, ...], horizon: int
) -> list[tuple[int, np.ndarray | None]]:
    forecaster = model(seasons)
    forecasts: list[tuple[int, np.ndarray | None]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that do not converge: the fallback answers
        for number, series in jobs:
            try:
                forecast = np.asarray(forecaster.forecast(y=series, h=horizon)["mean"], np.float64)
            except Exception:
                forecast = np.array([np.nan])
            forecasts.append((number, forecast if np.isfinite(forecast).all() else None))
    return forecasts


def _season(seasons: tuple[int, ...]) -> int:
    return max(seasons, default=1)


def _theta(seasons: tuple[int, ...]) -> Any:
    from statsforecast.models import DynamicOptimizedTheta

    return DynamicOptimizedTheta(season_length=_season(seasons))


def _ces(seasons: tuple[int, ...]) -> Any:
    from statsforecast.models import AutoCES

    return AutoCES(season_length=min(seasons, default=1))


def _ets(seasons: tuple[int, ...]) -> Any:
    from statsforecast.models import AutoETS

    return AutoETS(season_length=min(seasons, default=1) if min(seasons, default=1) <= 24 else 1)


def _mstl(seasons: tuple[int, ...]) -> Any:
    from statsforecast.models import MSTL, AutoETS

    return MSTL(list(seasons), trend_forecaster=AutoETS(model="ZZN")) if seasons else AutoETS(model="ZZN")


def _croston(seasons: tuple[int, ...]) -> Any:
    from statsforecast.models import TSB

    return TSB(alpha_d=0.2, alpha_p=0.2)


THETA = Statistical("theta", _theta)
"""Dynamic optimized theta, seasonal by the longest season (Fiorucci et al. 2016)."""
CES = Statistical("ces", _ces)
"""Complex exponential smoothing by the shortest season (Svetunkov et al. 2022)."""
ETS = Statistical("ets", _ets)
"""Exponential smoothing chosen by AICc (Hyndman et al. 2008)."""
MSTL = Statistical("mstl", _mstl)
"""Decomposition by LOESS, remainder by exponential smoothing (Bandara et al. 2021)."""
INTERMITTENT = Statistical("intermittent", _croston)
"""Teunter, Syntetos and Babai's method for series that are mostly zero (2011)."""
