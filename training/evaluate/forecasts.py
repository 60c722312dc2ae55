"""Metrics of forecasts: point errors, and how often quantiles and intervals hold.

sMAPE, MASE and OWA as in the M4 competition (Makridakis, Spiliotis, Assimakopoulos 2020, "The M4 Competition: 100,000
time series and 61 forecasting methods", section 2.3 and its benchmark code): OWA is the mean of both, each divided by
that of Naive2 over the same series.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ForecastMetrics:
    """Means over series and steps, without unknown truths (NaN).

    Attributes:
        mae: mean absolute error, in the units of the series.
        rmse: root mean squared error, in the units of the series.
        smape: symmetric mean absolute percentage error, 0–200; 0 where forecast and truth are both 0.
        mase: mean absolute scaled error; 1 is as good as the seasonal naive within the sample.
        coverage: level of an interval, such as 80 → share of the truths inside, 0–1.
        width: level → mean width of the interval, in the units of the series.
        pinball: mean pinball loss over all quantiles, in the units of the series; NaN without quantiles.
        steps: number of measured truths.
    """

    mae: float
    rmse: float
    smape: float
    mase: float
    coverage: dict[int, float]
    width: dict[int, float]
    pinball: float
    steps: int


def smape(truth: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Computes the symmetric percentage error of each step, 0–200, NaN where the truth is not known.

    >>> smape(np.array([1.0, 0.0]), np.array([3.0, 0.0])).tolist()
    [100.0, 0.0]
    """
    size = np.abs(truth) + np.abs(forecast)
    return np.where(size == 0, 0.0, 200 * np.abs(truth - forecast) / np.where(size == 0, 1, size))


def mase_scale(history: np.ndarray, season: int) -> np.ndarray:
    """Computes (n,) mean absolute errors of the seasonal naive within each history (n, t); NaN where there is none.

    A history shorter than two seasons is scaled by the error of the last value instead. A history that never changes
    has no scale (NaN), as no error can be measured against it.
    """
    seasonal = _mean_change(history, season)
    scale = np.where(np.isnan(seasonal), _mean_change(history, 1), seasonal)
    return np.where(scale > 0, scale, np.nan)


def mase(truth: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Computes the scaled absolute error of each step (n, h), by the scale (n,) of each series.

    After Hyndman, Koehler 2006.
    """
    return np.abs(truth - forecast) / scale[:, None]


def owa(smape_of: float, mase_of: float, smape_naive2: float, mase_naive2: float) -> float:
    """Computes the overall weighted average of M4."""
    return (smape_of / smape_naive2 + mase_of / mase_naive2) / 2


def pinball(truth: np.ndarray, quantile: np.ndarray, level: float) -> np.ndarray:
    """Computes the pinball loss of each quantile forecast.

    >>> pinball(np.array([10.0]), np.array([8.0]), 0.9).round(9).tolist()
    [1.8]
    """
    above = truth - quantile
    return np.maximum(level * above, (level - 1) * above)


def forecast_metrics(
    truth: np.ndarray,
    forecast: np.ndarray,
    scale: np.ndarray,
    quantiles: Mapping[float, np.ndarray] | None = None,
) -> ForecastMetrics:
    """Measures forecasts of n series over h steps.

    Args:
        truth: (n, h), NaN where not known.
        forecast: (n, h) point forecasts.
        scale: (n,) scales of ``mase_scale``.
        quantiles: level 0–1 → (n, h) forecasts; two levels that add up to 1 give an interval.
    """
    is_known = np.isfinite(truth)
    error = np.where(is_known, forecast - truth, np.nan)
    quantiles = quantiles or {}
    coverage, width = {}, {}
    for low in sorted(level for level in quantiles if level < 0.5):
        high = next((level for level in quantiles if abs(level + low - 1) < 1e-9), None)
        if high is None:
            continue
        inside = (truth >= quantiles[low]) & (truth <= quantiles[high])
        name = round(100 * (high - low))
        coverage[name] = float(inside[is_known].mean()) if is_known.any() else float("nan")
        width[name] = _mean(np.where(is_known, quantiles[high] - quantiles[low], np.nan))
    losses = [_mean(pinball(truth, values, level)) for level, values in quantiles.items()]
    return ForecastMetrics(
        mae=_mean(np.abs(error)),
        rmse=float(np.sqrt(_mean(error**2))),
        smape=_mean(smape(truth, forecast)),
        mase=_mean(mase(truth, forecast, scale)),
        coverage=coverage,
        width=width,
        pinball=float(np.mean(losses)) if losses else float("nan"),
        steps=int(is_known.sum()),
    )


def _mean_change(history: np.ndarray, season: int) -> np.ndarray:
    if history.shape[1] <= season:
        return np.full(len(history), np.nan)
    change = np.abs(history[:, season:] - history[:, :-season]).astype(np.float64)
    is_known = np.isfinite(change)
    known_count = is_known.sum(axis=1)
    total = np.where(is_known, change, 0.0).sum(axis=1)
    return np.where(known_count > 0, total / np.maximum(known_count, 1), np.nan)


def _mean(values: np.ndarray) -> float:
    is_known = np.isfinite(values)
    return float(values[is_known].mean()) if is_known.any() else float("nan")
