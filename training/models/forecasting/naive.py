"""Naive forecasts, the baselines of all other forecasters."""

from dataclasses import dataclass

import numpy as np

from training.models.forecasting.panel import Panel


@dataclass(frozen=True)
class LastValue:
    """Repeats the last value; 0 for a series without values."""

    name: str = "last_value"

    def fit(self, panel: Panel, horizon: int) -> "LastValue":
        """Returns the forecaster unchanged; there is nothing to learn."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Forecasts every series: (n, horizon)."""
        last = panel.values[:, -1:] if panel.steps else np.zeros((len(panel), 1))
        return np.repeat(np.nan_to_num(last), horizon, axis=1)


@dataclass(frozen=True)
class SeasonalNaive:
    """Repeats the last season; the last value for a series shorter than a season.

    Attributes:
        season: length of the season in steps; the panel's longest if None.
    """

    season: int | None = None
    name: str = "seasonal_naive"

    def fit(self, panel: Panel, horizon: int) -> "SeasonalNaive":
        """Returns the forecaster unchanged; there is nothing to learn."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Forecasts every series: (n, horizon)."""
        season = self.season or max(panel.seasons, default=1)
        last_value = LastValue().forecast(panel, horizon)
        if panel.steps < season:
            return last_value
        seasonal = panel.values[:, panel.steps - season + np.arange(horizon) % season]
        return np.where((panel.lengths >= season)[:, None], seasonal, last_value)


@dataclass(frozen=True)
class SeasonalMean:
    """Repeats the mean of the last seasons, step by step: the seasonal naive without most of its noise.

    Attributes:
        season: length of the season in steps; the panel's longest if None.
        seasons: maximal number of seasons in the mean.
    """

    season: int | None = None
    seasons: int = 4
    name: str = "seasonal_mean"

    def fit(self, panel: Panel, horizon: int) -> "SeasonalMean":
        """Returns the forecaster unchanged; there is nothing to learn."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Forecasts every series: (n, horizon)."""
        season = self.season or max(panel.seasons, default=1)
        fallback = SeasonalNaive(season).forecast(panel, horizon)
        if panel.steps < season:
            return fallback
        missing = -panel.steps % season
        padded = np.pad(panel.values, ((0, 0), (missing, 0)), constant_values=np.nan)
        recent = padded.reshape(len(panel), padded.shape[1] // season, season)[:, -self.seasons :]
        finite = np.isfinite(recent)
        mean = np.where(finite, recent, 0.0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1)
        seasonal = mean[:, np.arange(horizon) % season]
        return np.where((panel.lengths >= season)[:, None], seasonal, fallback)


@dataclass(frozen=True)
class RecentMean:
    """Repeats the mean of the last ``steps`` steps."""

    steps: int = 28
    name: str = "recent_mean"

    def fit(self, panel: Panel, horizon: int) -> "RecentMean":
        """Returns the forecaster unchanged; there is nothing to learn."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Forecasts every series: (n, horizon)."""
        recent = panel.values[:, -self.steps :]
        finite = np.isfinite(recent)
        mean = np.where(finite, recent, 0.0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1)
        return np.repeat(mean[:, None], horizon, axis=1)


@dataclass(frozen=True)
class Naive2:
    """M4's benchmark: the last value, seasonally adjusted where a test finds a season.

    The test: the autocorrelation at the season is outside the 90 % limits. The adjustment: classical multiplicative
    decomposition (Makridakis et al. 2020, and the benchmark code of the competition).

    Attributes:
        season: length of the season in steps; the panel's shortest if None, as in M4.
    """

    season: int | None = None
    name: str = "naive2"

    def fit(self, panel: Panel, horizon: int) -> "Naive2":
        """Returns the forecaster unchanged; there is nothing to learn."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Forecasts every series: (n, horizon)."""
        season = self.season or panel.season
        forecasts = LastValue().forecast(panel, horizon)
        for number, row in enumerate(panel.values):
            series = row[np.isfinite(row)]
            if season > 1 and is_seasonal(series, season):
                indices = seasonal_indices(series, season)
                if indices is not None:
                    ahead = (len(series) + np.arange(horizon)) % season
                    forecasts[number] = series[-1] / indices[(len(series) - 1) % season] * indices[ahead]
        return forecasts


def is_seasonal(series: np.ndarray, season: int) -> bool:
    """Tests whether the autocorrelation at the season is significant at 90 %; False with less than three seasons."""
    if len(series) < 3 * season:
        return False
    centred = series - series.mean()
    power = np.sum(centred**2)
    if power == 0:
        return False
    correlation = (
        np.array([np.sum(centred[lag:] * centred[: len(series) - lag]) for lag in range(1, season + 1)]) / power
    )
    limit = 1.645 * np.sqrt((1 + 2 * np.sum(correlation[:-1] ** 2)) / len(series))
    return bool(abs(correlation[-1]) > limit)


def seasonal_indices(series: np.ndarray, season: int) -> np.ndarray | None:
    """Computes multiplicative seasonal indices (season,) with mean 1, from the first step on; None if one is ≤ 0."""
    even = np.r_[0.5, np.ones(season - 1), 0.5]
    weights = even if season % 2 == 0 else np.ones(season)
    half = len(weights) // 2
    trend = np.convolve(series, weights / season, "valid")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = series[half : len(series) - half] / trend
    season_step = (np.arange(len(ratio)) + half) % season
    finite = np.isfinite(ratio)
    counts = np.bincount(season_step[finite], minlength=season)
    if not counts.all():
        return None
    indices = np.bincount(season_step[finite], weights=ratio[finite], minlength=season) / counts
    indices = indices / indices.mean() if indices.mean() else indices
    return indices if np.all(indices > 0) else None
