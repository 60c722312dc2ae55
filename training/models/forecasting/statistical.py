"""One series at a time, by statsforecast."""

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
"""Steps below which a series is left to the fallback."""

_ALONE = 60
"""Series that are not worth a second process."""


@dataclass(frozen=True)
class Statistical:
    """A model of statsforecast, fitted to each series by itself.

    A series that is too short or constant, or that the model fails on, gets the seasonal naive.

    Attributes:
        name: of the forecaster.
        model: seasons of the panel → a model.
        last: steps of each series that the model sees; all if None.
        most_wild: a forecast further away than so many times the range of the series counts as failed.
    """

    name: str
    model: Callable[[tuple[int, ...]], Any]
    last: int | None = None
    most_wild: float = 3.0

    def fit(self, panel: Panel, horizon: int) -> "Statistical":
        """Nothing is common to all series."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n, horizon); two processes where there are many series."""
        found = SeasonalNaive().forecast(panel, horizon)
        least = max(LEAST, 2 * max(panel.seasons, default=1) + 2)
        jobs = []
        for number, row in enumerate(panel.values):
            series = row[np.isfinite(row)][-(self.last or len(row)) :]
            if len(series) >= least and np.ptp(series) > 0:
                jobs.append((number, series))
        for number, forecast in self._each(jobs, panel.seasons, horizon):
            low, high = np.nanmin(panel.values[number]), np.nanmax(panel.values[number])
            reach = self.most_wild * (high - low)
            if forecast is not None and np.all((forecast > low - reach) & (forecast < high + reach)):
                found[number] = forecast
        return panel.bounded(found)

    def _each(self, jobs: list, seasons: tuple[int, ...], horizon: int) -> list[tuple[int, np.ndarray | None]]:
        cores = min(os.cpu_count() or 1, 4)
        if len(jobs) < _ALONE or cores == 1:
            return _forecast(self.model, jobs, seasons, horizon)
        chunks = [jobs[start :: cores * 4] for start in range(cores * 4)]
        with worker_pool(cores, "forkserver") as pool:
            made = [pool.submit(_forecast, self.model, chunk, seasons, horizon) for chunk in chunks]
            return [pair for one in made for pair in one.result()]


def _forecast(
    model: Callable[[tuple[int, ...]], Any], jobs: list, seasons: tuple[int, ...], horizon: int
) -> list[tuple[int, np.ndarray | None]]:
    made = model(seasons)
    found: list[tuple[int, np.ndarray | None]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that do not converge: the fallback answers
        for number, series in jobs:
            try:
                forecast = np.asarray(made.forecast(y=series, h=horizon)["mean"], np.float64)
            except Exception:
                forecast = np.array([np.nan])
            found.append((number, forecast if np.isfinite(forecast).all() else None))
    return found


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
"""Seasons taken out by LOESS, the rest by exponential smoothing (Bandara et al. 2021)."""
INTERMITTENT = Statistical("intermittent", _croston)
"""Teunter, Syntetos and Babai's method for series that are mostly zero (2011)."""
