"""Inputs of a global model for a series at an origin: lags, rolling statistics and the step ahead.

All inputs are scaled by level and spread of the recent past, so that one model fits series of any size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SEASONS_BACK = (4, 3)
"""Number of seasonal lags: of the shortest season, of the longest season."""


@dataclass(frozen=True)
class Lagged:
    """Inputs of n series at one origin, for each of h steps ahead.

    Attributes:
        inputs: (n, h, d) float32, NaN where the past is too short.
        level: (n, 1) mean of the recent past.
        spread: (n, 1) standard deviation of the recent past, never 0.
    """

    inputs: np.ndarray
    level: np.ndarray
    spread: np.ndarray

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Scales values (n, h) by level and spread."""
        return (values - self.level) / self.spread

    def unscaled(self, values: np.ndarray) -> np.ndarray:
        """Reverses ``scaled``: (n, h) in the units of the series."""
        return values * self.spread + self.level


def window(seasons: Sequence[int]) -> int:
    """Returns the number of recent steps over which level and spread are computed."""
    return max([*seasons, 4 * min(seasons, default=1), 12])


def names(seasons: Sequence[int]) -> list[str]:
    """Returns the names of the d inputs."""
    short, long = min(seasons, default=1), max(seasons, default=1)
    input_names = [f"season_{short}_back_{back + 1}" for back in range(SEASONS_BACK[0])]
    if long > short:
        input_names += [f"season_{long}_back_{back + 1}" for back in range(SEASONS_BACK[1])]
        input_names += [f"season_{long}_before", f"season_{long}_after"]
    input_names += [f"season_{short}_before", f"season_{short}_after"]
    input_names += [f"lag_{lag}" for lag in (1, 2, 3)] + [f"mean_{span}" for span in _spans(seasons)]
    input_names += [f"mean_{short}_before_last"]
    if long > short:
        input_names += [f"mean_{long}_before_last", f"lag_{long + 1}"]
    input_names += [f"lag_{short + 1}", f"lag_{2 * short + 1}", "variation", "zeros", f"change_{short}"]
    if long > short:
        input_names += [f"change_{long}"]
    return [*input_names, "length", "step"]


def lagged(values: np.ndarray, horizon: int, seasons: Sequence[int], floor: float = 0.0) -> Lagged:
    """Builds the inputs at the end of the values.

    Args:
        values: (n, t) values, the newest last, NaN before a series began.
        horizon: number of steps to forecast.
        seasons: lengths of the seasons in steps, shortest first.
        floor: smallest spread, in the units of the series; 0.5 for counts.
    """
    short, long = min(seasons, default=1), max(seasons, default=1)
    past = _History(np.asarray(values, np.float32), horizon, seasons)
    level = past.mean(window(seasons))
    level = np.where(np.isnan(level), 0.0, level)
    deviation = past.deviation(window(seasons))
    spread = np.maximum(np.nan_to_num(deviation) + 1e-3 * np.abs(level), max(floor, 1e-6))
    past = past.scaled(level, spread)
    ahead = np.arange(horizon)
    first = ahead // short + 1
    by_step = [past.ahead((first + back) * short) for back in range(SEASONS_BACK[0])]
    if long > short:
        by_step += [past.ahead((ahead // long + 1 + back) * long) for back in range(SEASONS_BACK[1])]
        by_step += [past.ahead((ahead // long + 1) * long + 1), past.ahead((ahead // long + 1) * long - 1)]
    by_step += [past.ahead(first * short + 1), past.ahead(first * short - 1)]
    by_series = [past.lag(lag) for lag in (1, 2, 3)] + [past.mean(span) for span in _spans(seasons)]
    by_series += [past.mean(short, before=short)]
    if long > short:
        by_series += [past.mean(long, before=long), past.lag(long + 1)]
    by_series += [past.lag(short + 1), past.lag(2 * short + 1)]
    by_series += [spread / (np.abs(level) + spread), past.zeros(window(seasons), level, spread), past.change(short)]
    if long > short:
        by_series += [past.change(long)]
    length = np.isfinite(values).sum(axis=1, keepdims=True)
    by_series += [np.minimum(length, 2 * window(seasons))]
    series = np.concatenate(by_series, axis=1, dtype=np.float32)
    count = len(values)
    inputs = np.empty((count, horizon, len(by_step) + series.shape[1] + 1), np.float32)
    inputs[:, :, : len(by_step)] = np.stack(by_step, axis=-1)
    inputs[:, :, len(by_step) : -1] = series[:, None]
    inputs[:, :, -1] = ahead
    return Lagged(inputs, level, spread)


def _spans(seasons: Sequence[int]) -> list[int]:
    short, long = min(seasons, default=1), max(seasons, default=1)
    return sorted({3, 6, 12, short, 2 * short, 4 * short} - {1, 2} | ({long} - {short}))


class _History:
    """Lags and statistics of the values before an origin."""

    def __init__(self, values: np.ndarray, horizon: int, seasons: Sequence[int]) -> None:
        short, long = min(seasons, default=1), max(seasons, default=1)
        by_step = (
            (SEASONS_BACK[number] + horizon // season + 1) * season for number, season in enumerate((short, long))
        )
        reach = max(*by_step, window(seasons), 2 * long) + 2
        self._values, self._horizon = values[:, -reach:], horizon

    def scaled(self, level: np.ndarray, spread: np.ndarray) -> "_History":
        scaled_history = object.__new__(_History)
        scaled_history._values, scaled_history._horizon = (
            ((self._values - level) / spread).astype(np.float32),
            self._horizon,
        )
        return scaled_history

    def ahead(self, back: np.ndarray) -> np.ndarray:
        """Returns the values ``back`` steps before each step ahead, (n, h); NaN where these are not in the past."""
        position = self._values.shape[1] + np.arange(self._horizon) - back
        in_past = (position >= 0) & (position < self._values.shape[1])
        if not self._values.shape[1]:
            return np.full((len(self._values), self._horizon), np.nan, np.float32)
        return np.where(in_past, self._values[:, np.where(in_past, position, 0)], np.float32(np.nan))

    def lag(self, steps: int) -> np.ndarray:
        if steps > self._values.shape[1]:
            return np.full((len(self._values), 1), np.nan, np.float32)
        return self._values[:, self._values.shape[1] - steps, None]

    def _recent(self, span: int, before: int = 0) -> np.ndarray:
        stop = self._values.shape[1] - before
        return self._values[:, max(stop - span, 0) : max(stop, 0)]

    def mean(self, span: int, before: int = 0) -> np.ndarray:
        recent = self._recent(span, before)
        finite = np.isfinite(recent)
        count = finite.sum(axis=1, keepdims=True)
        total = np.where(finite, recent, 0.0).sum(axis=1, keepdims=True, dtype=np.float64)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def deviation(self, span: int) -> np.ndarray:
        recent, mean = self._recent(span), self.mean(span)
        finite = np.isfinite(recent)
        count = finite.sum(axis=1, keepdims=True)
        squares = np.where(finite, (recent - mean) ** 2, 0.0).sum(axis=1, keepdims=True, dtype=np.float64)
        return np.where(count > 0, np.sqrt(squares / np.maximum(count, 1)), np.nan)

    def zeros(self, span: int, level: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Computes the share of the last ``span`` steps with value 0: (n, 1)."""
        recent = self._recent(span)
        finite = np.isfinite(recent)
        count = np.maximum(finite.sum(axis=1, keepdims=True), 1)
        return (finite & (np.abs(recent * spread + level) < 1e-6 * spread)).sum(axis=1, keepdims=True) / count

    def change(self, season: int) -> np.ndarray:
        """Computes the mean absolute difference between the last season and the one before: (n, 1)."""
        last, before = self._recent(season), self._recent(season, before=season)
        if before.shape[1] < season:
            return np.full((len(self._values), 1), np.nan)
        finite = np.isfinite(last) & np.isfinite(before)
        count = finite.sum(axis=1, keepdims=True)
        total = np.where(finite, np.abs(last - before), 0.0).sum(axis=1, keepdims=True)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
