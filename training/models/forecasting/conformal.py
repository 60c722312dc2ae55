"""Quantiles of a forecast from how wrong such forecasts were (split conformal prediction).

The errors of a backtest, scaled by the series, are sorted within groups of alike forecasts and steps ahead; a quantile
is the forecast plus the error at that place (Vovk, Gammerman, Shafer 2005; in groups: Mondrian conformal prediction).
If the future is like the backtest, so many truths lie below each quantile, whatever the forecaster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
"""Quantiles that give the median, and intervals of 80 % and 95 %."""


@dataclass
class ConformalQuantiles:
    """How far from the forecast the truth lies.

    Attributes:
        levels: of the quantiles, 0–1.
        groups: of forecasts, by their size in units of the series' scale.
        least: errors that a group must have at each step; with fewer, those of all steps are taken together.
        edges: (groups − 1,) sizes at which one group ends, once fitted.
        errors: (groups, h, levels) scaled errors, once fitted.
    """

    levels: tuple[float, ...] = LEVELS
    groups: int = 5
    least: int = 100
    edges: np.ndarray = field(default_factory=lambda: np.zeros(0))
    errors: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def fit(self, truth: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> "ConformalQuantiles":
        """Learn from out-of-time forecasts.

        Args:
            truth: (m, h), NaN where not known.
            forecast: (m, h).
            scale: (m,) of the series, above 0; NaN leaves it out.
        """
        some = np.isfinite(scale)
        truth, forecast, scale = truth[some], forecast[some], scale[some]
        error = (truth - forecast) / scale[:, None]
        size = forecast.mean(axis=1) / scale if forecast.size else np.zeros(0)
        groups = int(np.clip(len(size) // self.least, 1, self.groups))
        self.edges = np.unique(np.quantile(size, np.arange(1, groups) / groups)) if len(size) else np.zeros(0)
        group = np.searchsorted(self.edges, size, side="right")
        found = np.zeros((len(self.edges) + 1, truth.shape[1], len(self.levels)))
        for number in range(len(found)):
            mine = group == number
            rows = error[mine] if mine.any() else error
            for step in range(truth.shape[1]):
                column = rows[:, step] if len(rows) >= self.least else rows.reshape(-1)
                found[number, step] = quantiles(column[np.isfinite(column)], self.levels)
        # what lies further ahead is not known better
        middle = found[:, :, [self._middle]]
        self.errors = middle + _widening(found - middle)
        return self

    def quantiles(
        self, forecast: np.ndarray, scale: np.ndarray, *, nonnegative: bool = True
    ) -> dict[float, np.ndarray]:
        """Level → (n, h) for forecasts (n, h) of series of a scale (n,); sorted, and not below 0 if that cannot be.

        A series without a scale of its own is given that of its level: constant so far does not mean certain.
        """
        own = np.where(np.isfinite(scale) & (scale > 0), scale, np.maximum(np.abs(forecast).mean(axis=1), 1.0))
        group = np.searchsorted(self.edges, forecast.mean(axis=1) / own, side="right")
        made = forecast[:, :, None] + self.errors[group][:, : forecast.shape[1]] * own[:, None, None]
        made = np.sort(np.maximum(made, 0.0) if nonnegative else made, axis=2)
        return {level: made[:, :, place] for place, level in enumerate(self.levels)}

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {"levels": self.levels, "edges": self.edges.tolist(), "errors": self.errors.tolist()}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "ConformalQuantiles":
        """As ``as_json`` told."""
        edges, errors = np.array(told["edges"], np.float64), np.array(told["errors"], np.float64)
        return cls(tuple(told["levels"]), edges=edges, errors=errors)

    @property
    def _middle(self) -> int:
        return int(np.argmin(np.abs(np.array(self.levels) - 0.5)))


def quantiles(errors: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """(levels,) of errors, outwards by one place of n + 1, as split conformal prediction asks; 0 without any error.

    >>> quantiles(np.arange(1.0, 100.0), (0.1, 0.9)).tolist()
    [10.0, 90.0]
    """
    ordered = np.sort(errors)
    if not len(ordered):
        return np.zeros(len(levels))
    place = [
        np.floor((len(ordered) + 1) * level) - 1 if level < 0.5 else np.ceil((len(ordered) + 1) * level) - 1
        for level in levels
    ]
    return ordered[np.clip(np.array(place, int), 0, len(ordered) - 1)]


def _widening(distances: np.ndarray) -> np.ndarray:
    """(g, h, l) distances from the middle, nowhere smaller than at the step before."""
    return np.where(distances < 0, np.minimum.accumulate(distances, axis=1), np.maximum.accumulate(distances, axis=1))
