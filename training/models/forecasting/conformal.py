"""Quantiles of a forecast from the errors of a backtest (split conformal prediction).

The errors, scaled by the series, are sorted within groups of similar forecasts and by step ahead; a quantile of the
forecast is the forecast plus that quantile of the errors (Vovk, Gammerman, Shafer 2005; in groups: Mondrian conformal
prediction). If the future is like the backtest, the quantiles are calibrated for any forecaster.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
"""Quantiles that give the median, and intervals of 80 % and 95 %."""


@dataclass
class ConformalQuantiles:
    """Quantiles of the scaled forecast errors, by group and step ahead.

    Attributes:
        levels: levels of the quantiles, 0–1.
        groups: maximal number of groups of forecasts, by their size relative to the series' scale.
        least: minimal number of errors of a group at each step; with fewer, the errors of all steps are pooled.
        edges: (groups − 1,) sizes that separate the groups, once fitted.
        errors: (groups, h, levels) scaled errors, once fitted.
    """

    levels: tuple[float, ...] = LEVELS
    groups: int = 5
    least: int = 100
    edges: np.ndarray = field(default_factory=lambda: np.zeros(0))
    errors: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def fit(self, truth: np.ndarray, forecast: np.ndarray, scale: np.ndarray) -> "ConformalQuantiles":
        """Learns from out-of-time forecasts.

        Args:
            truth: (m, h) actual values, NaN where unknown.
            forecast: (m, h) forecasts.
            scale: (m,) scale of each series, above 0; series with NaN are left out.
        """
        scaled_series = np.isfinite(scale)
        truth, forecast, scale = truth[scaled_series], forecast[scaled_series], scale[scaled_series]
        error = (truth - forecast) / scale[:, None]
        size = forecast.mean(axis=1) / scale if forecast.size else np.zeros(0)
        groups = int(np.clip(len(size) // self.least, 1, self.groups))
        self.edges = np.unique(np.quantile(size, np.arange(1, groups) / groups)) if len(size) else np.zeros(0)
        group = np.searchsorted(self.edges, size, side="right")
        group_quantiles = np.zeros((len(self.edges) + 1, truth.shape[1], len(self.levels)))
        for number in range(len(group_quantiles)):
            in_group = group == number
            rows = error[in_group] if in_group.any() else error
            for step in range(truth.shape[1]):
                column = rows[:, step] if len(rows) >= self.least else rows.reshape(-1)
                group_quantiles[number, step] = quantiles(column[np.isfinite(column)], self.levels)
        # intervals never become narrower with the horizon
        middle = group_quantiles[:, :, [self._middle]]
        self.errors = middle + _widening(group_quantiles - middle)
        return self

    def quantiles(
        self, forecast: np.ndarray, scale: np.ndarray, *, nonnegative: bool = True
    ) -> dict[float, np.ndarray]:
        """Computes level → quantiles (n, h) of forecasts (n, h) of series with scales (n,), sorted and clipped at 0.

        A series without scale gets its mean forecast as scale: a constant past does not make the future certain.
        """
        series_scale = np.where(np.isfinite(scale) & (scale > 0), scale, np.maximum(np.abs(forecast).mean(axis=1), 1.0))
        group = np.searchsorted(self.edges, forecast.mean(axis=1) / series_scale, side="right")
        values = forecast[:, :, None] + self.errors[group][:, : forecast.shape[1]] * series_scale[:, None, None]
        values = np.sort(np.maximum(values, 0.0) if nonnegative else values, axis=2)
        return {level: values[:, :, column] for column, level in enumerate(self.levels)}

    def as_json(self) -> dict[str, Any]:
        """Returns levels, edges and errors."""
        return {"levels": self.levels, "edges": self.edges.tolist(), "errors": self.errors.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ConformalQuantiles":
        """Builds the quantiles from the result of ``as_json``."""
        edges, errors = np.array(values["edges"], np.float64), np.array(values["errors"], np.float64)
        return cls(tuple(values["levels"]), edges=edges, errors=errors)

    @property
    def _middle(self) -> int:
        return int(np.argmin(np.abs(np.array(self.levels) - 0.5)))


def quantiles(errors: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Computes quantiles of errors, (levels,), with the n + 1 correction of split conformal prediction; 0 if empty.

    >>> quantiles(np.arange(1.0, 100.0), (0.1, 0.9)).tolist()
    [10.0, 90.0]
    """
    sorted_errors = np.sort(errors)
    if not len(sorted_errors):
        return np.zeros(len(levels))
    ranks = [
        np.floor((len(sorted_errors) + 1) * level) - 1 if level < 0.5 else np.ceil((len(sorted_errors) + 1) * level) - 1
        for level in levels
    ]
    return sorted_errors[np.clip(np.array(ranks, int), 0, len(sorted_errors) - 1)]


def _widening(distances: np.ndarray) -> np.ndarray:
    """Makes distances from the median (g, h, l) monotone, so that they never shrink from step to step."""
    return np.where(distances < 0, np.minimum.accumulate(distances, axis=1), np.maximum.accumulate(distances, axis=1))
