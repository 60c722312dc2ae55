"""The floor of forecasts: the same forecasters and ensemble on histories whose steps are in a drawn order.

Such histories tell how large the values of a series are and nothing else. A model that is not surely better has learned
nothing from their order: neither seasons nor trends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.models.forecasting.backtest import Forecaster, backtest
from training.models.forecasting.blend import Blend
from training.models.forecasting.panel import Panel

MOST_SERIES = 200
"""Maximal number of series that are forecast from permuted histories."""


def permuted(panel: Panel, seed: int = 0) -> Panel:
    """Returns the panel with the steps of each series in a drawn order, after the same first steps without values.

    >>> drawn = permuted(Panel(["a"], np.array([[np.nan, 1.0, 2.0, 3.0]])))
    >>> np.isnan(drawn.values[0, 0]), sorted(drawn.values[0, 1:].tolist())
    (np.True_, [1.0, 2.0, 3.0])
    """
    ranks = np.random.default_rng(seed).random(panel.values.shape)
    ranks[~np.isfinite(panel.values)] = -1.0
    return replace(panel, values=np.take_along_axis(panel.values, np.argsort(ranks, axis=1, kind="stable"), axis=1))


@dataclass(frozen=True)
class OnPermutedHistories:
    """A forecaster that is given permuted histories.

    Attributes:
        forecaster: the forecaster.
        seed: seed of the order.
    """

    forecaster: Forecaster
    seed: int = 0

    @property
    def name(self) -> str:
        """The name of the forecaster."""
        return self.forecaster.name

    def fit(self, panel: Panel, horizon: int) -> "OnPermutedHistories":
        """Fits the forecaster to permuted histories."""
        return replace(self, forecaster=self.forecaster.fit(permuted(panel, self.seed), horizon))

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """Forecasts every series from its permuted history: (n, horizon)."""
        return self.forecaster.forecast(permuted(panel, self.seed), horizon)


def permuted_forecasts(
    panel: Panel,
    members: Sequence[Forecaster],
    blend: Blend,
    horizon: int,
    backs: Sequence[int],
    *,
    most: int = MOST_SERIES,
    seed: int = 0,
) -> np.ndarray:
    """Forecasts from permuted histories: (o, n, h), NaN for the series beyond ``most``, which are drawn.

    Args:
        panel: all series.
        members: forecasters, which are fitted anew at each origin.
        blend: ensemble that was chosen on validation.
        horizon: number of steps to forecast.
        backs: origins, in steps before the panel's end.
        most: maximal number of series.
        seed: seed of the order of steps and of the series.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(panel))[:most])
    drawn = panel.take(chosen)
    result = backtest(drawn, [OnPermutedHistories(member, seed) for member in members], horizon, backs)
    forecasts = np.full((len(backs), len(panel), horizon), np.nan)
    forecasts[:, chosen] = drawn.bounded(blend.of(result))
    return forecasts
