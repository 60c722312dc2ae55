"""Forecasts that cost nothing: what every other forecaster must beat."""

from dataclasses import dataclass

import numpy as np

from training.models.forecasting.panel import Panel


@dataclass(frozen=True)
class LastValue:
    """The last value goes on; 0 for a series without any."""

    name: str = "last_value"

    def fit(self, panel: Panel, horizon: int) -> "LastValue":
        """Nothing to learn."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n, horizon)."""
        last = panel.values[:, -1:] if panel.steps else np.zeros((len(panel), 1))
        return np.repeat(np.nan_to_num(last), horizon, axis=1)


@dataclass(frozen=True)
class SeasonalNaive:
    """The last season again; the last value for a series shorter than that.

    Attributes:
        season: in steps; the panel's longest if None.
    """

    season: int | None = None
    name: str = "seasonal_naive"

    def fit(self, panel: Panel, horizon: int) -> "SeasonalNaive":
        """Nothing to learn."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n, horizon)."""
        season = self.season or max(panel.seasons, default=1)
        plain = LastValue().forecast(panel, horizon)
        if panel.steps < season:
            return plain
        again = panel.values[:, panel.steps - season + np.arange(horizon) % season]
        return np.where((panel.lengths >= season)[:, None], again, plain)


@dataclass(frozen=True)
class SeasonalMean:
    """The mean of the last so many seasons, place by place: the seasonal naive without most of its noise.

    Attributes:
        season: in steps; the panel's longest if None.
        seasons: how many, or as many as there are.
    """

    season: int | None = None
    seasons: int = 4
    name: str = "seasonal_mean"

    def fit(self, panel: Panel, horizon: int) -> "SeasonalMean":
        """Nothing to learn."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n, horizon)."""
        season = self.season or max(panel.seasons, default=1)
        found = SeasonalNaive(season).forecast(panel, horizon)
        if panel.steps < season:
            return found
        missing = -panel.steps % season
        shaped = np.pad(panel.values, ((0, 0), (missing, 0)), constant_values=np.nan)
        recent = shaped.reshape(len(panel), shaped.shape[1] // season, season)[:, -self.seasons :]
        known = np.isfinite(recent)
        mean = np.where(known, recent, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        again = mean[:, np.arange(horizon) % season]
        return np.where((panel.lengths >= season)[:, None], again, found)


@dataclass(frozen=True)
class RecentMean:
    """The mean of the last so many steps."""

    steps: int = 28
    name: str = "recent_mean"

    def fit(self, panel: Panel, horizon: int) -> "RecentMean":
        """Nothing to learn."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n, horizon)."""
        recent = panel.values[:, -self.steps :]
        known = np.isfinite(recent)
        mean = np.where(known, recent, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return np.repeat(mean[:, None], horizon, axis=1)


@dataclass(frozen=True)
class Naive2:
    """M4's benchmark: the last value of the seasonally adjusted series, where a test finds a season at all.

    The test: the autocorrelation at the season lies outside of 90 % limits. The adjustment: classical multiplicative
    decomposition (Makridakis et al. 2020, and the benchmark code of the competition).

    Attributes:
        season: in steps; the panel's shortest if None, as in M4.
    """

    season: int | None = None
    name: str = "naive2"

    def fit(self, panel: Panel, horizon: int) -> "Naive2":
        """Nothing to learn."""
        return self

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n, horizon)."""
        season = self.season or panel.season
        found = LastValue().forecast(panel, horizon)
        for number, row in enumerate(panel.values):
            series = row[np.isfinite(row)]
            if season > 1 and is_seasonal(series, season):
                indices = seasonal_indices(series, season)
                if indices is not None:
                    ahead = (len(series) + np.arange(horizon)) % season
                    found[number] = series[-1] / indices[(len(series) - 1) % season] * indices[ahead]
        return found


def is_seasonal(series: np.ndarray, season: int) -> bool:
    """Whether the autocorrelation at the season is significant at 90 %; never for less than three seasons."""
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
    """(season,) multiplicative indices with mean 1, from the first step on; None if one is not above 0."""
    even = np.r_[0.5, np.ones(season - 1), 0.5]
    weights = even if season % 2 == 0 else np.ones(season)
    half = len(weights) // 2
    trend = np.convolve(series, weights / season, "valid")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = series[half : len(series) - half] / trend
    place = (np.arange(len(ratio)) + half) % season
    good = np.isfinite(ratio)
    counts = np.bincount(place[good], minlength=season)
    if not counts.all():
        return None
    indices = np.bincount(place[good], weights=ratio[good], minlength=season) / counts
    indices = indices / indices.mean() if indices.mean() else indices
    return indices if np.all(indices > 0) else None
