"""What a global model sees of a series at an origin: lags, rolling statistics, the step ahead; in units of the series.

All of it is scaled by the level and spread of the recent past, so that one model fits series of any size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SEASONS_BACK = (4, 3)
"""Lags by whole seasons: of the shortest season, of the longest."""


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
        """(n, h) in units of the series."""
        return (values - self.level) / self.spread

    def unscaled(self, values: np.ndarray) -> np.ndarray:
        """(n, h) as they were."""
        return values * self.spread + self.level


def window(seasons: Sequence[int]) -> int:
    """Steps of the recent past that level and spread are measured over."""
    return max([*seasons, 4 * min(seasons, default=1), 12])


def names(seasons: Sequence[int]) -> list[str]:
    """Names of the d inputs."""
    short, long = min(seasons, default=1), max(seasons, default=1)
    found = [f"season_{short}_back_{back + 1}" for back in range(SEASONS_BACK[0])]
    if long > short:
        found += [f"season_{long}_back_{back + 1}" for back in range(SEASONS_BACK[1])]
        found += [f"season_{long}_before", f"season_{long}_after"]
    found += [f"season_{short}_before", f"season_{short}_after"]
    found += [f"lag_{lag}" for lag in (1, 2, 3)] + [f"mean_{span}" for span in _spans(seasons)]
    found += [f"mean_{short}_before_last"]
    if long > short:
        found += [f"mean_{long}_before_last", f"lag_{long + 1}"]
    found += [f"lag_{short + 1}", f"lag_{2 * short + 1}", "variation", "zeros", f"change_{short}"]
    if long > short:
        found += [f"change_{long}"]
    return [*found, "length", "step"]


def lagged(values: np.ndarray, horizon: int, seasons: Sequence[int], floor: float = 0.0) -> Lagged:
    """Inputs at the end of the values.

    Args:
        values: (n, t), the newest last, NaN before a series began.
        horizon: steps ahead.
        seasons: in steps, shortest first.
        floor: the spread is at least this, in the units of the series: 0.5 for counts.
    """
    short, long = min(seasons, default=1), max(seasons, default=1)
    past = _Past(np.asarray(values, np.float32), horizon, seasons)
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


class _Past:
    """Views of the values before an origin."""

    def __init__(self, values: np.ndarray, horizon: int, seasons: Sequence[int]) -> None:
        short, long = min(seasons, default=1), max(seasons, default=1)
        by_step = ((SEASONS_BACK[place] + horizon // season + 1) * season for place, season in enumerate((short, long)))
        reach = max(*by_step, window(seasons), 2 * long) + 2
        self._values, self._horizon = values[:, -reach:], horizon

    def scaled(self, level: np.ndarray, spread: np.ndarray) -> "_Past":
        made = object.__new__(_Past)
        made._values, made._horizon = ((self._values - level) / spread).astype(np.float32), self._horizon
        return made

    def ahead(self, back: np.ndarray) -> np.ndarray:
        """(n, h): ``back`` steps before each step ahead; NaN where that is not past."""
        place = self._values.shape[1] + np.arange(self._horizon) - back
        past = (place >= 0) & (place < self._values.shape[1])
        if not self._values.shape[1]:
            return np.full((len(self._values), self._horizon), np.nan, np.float32)
        return np.where(past, self._values[:, np.where(past, place, 0)], np.float32(np.nan))

    def lag(self, steps: int) -> np.ndarray:
        if steps > self._values.shape[1]:
            return np.full((len(self._values), 1), np.nan, np.float32)
        return self._values[:, self._values.shape[1] - steps, None]

    def _recent(self, span: int, before: int = 0) -> np.ndarray:
        stop = self._values.shape[1] - before
        return self._values[:, max(stop - span, 0) : max(stop, 0)]

    def mean(self, span: int, before: int = 0) -> np.ndarray:
        recent = self._recent(span, before)
        known = np.isfinite(recent)
        count = known.sum(axis=1, keepdims=True)
        total = np.where(known, recent, 0.0).sum(axis=1, keepdims=True, dtype=np.float64)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def deviation(self, span: int) -> np.ndarray:
        recent, mean = self._recent(span), self.mean(span)
        known = np.isfinite(recent)
        count = known.sum(axis=1, keepdims=True)
        squares = np.where(known, (recent - mean) ** 2, 0.0).sum(axis=1, keepdims=True, dtype=np.float64)
        return np.where(count > 0, np.sqrt(squares / np.maximum(count, 1)), np.nan)

    def zeros(self, span: int, level: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Share of steps at which nothing happened."""
        recent = self._recent(span)
        known = np.isfinite(recent)
        count = np.maximum(known.sum(axis=1, keepdims=True), 1)
        return (known & (np.abs(recent * spread + level) < 1e-6 * spread)).sum(axis=1, keepdims=True) / count

    def change(self, season: int) -> np.ndarray:
        """Mean distance of the last season from the one before."""
        last, before = self._recent(season), self._recent(season, before=season)
        if before.shape[1] < season:
            return np.full((len(self._values), 1), np.nan)
        known = np.isfinite(last) & np.isfinite(before)
        count = known.sum(axis=1, keepdims=True)
        total = np.where(known, np.abs(last - before), 0.0).sum(axis=1, keepdims=True)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
