"""How a hierarchy's forecasts are made to add up: what is learned of it on validation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.models.forecasting.backtest import Backtest
from training.models.forecasting.hierarchy import Hierarchy

TRUST = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
"""How many times too small the variance of the bottom may look: its errors come together, on hot days and holidays."""


@dataclass(frozen=True)
class Reconciler:
    """What ``Hierarchy.reconciled`` is given.

    Attributes:
        bias: level → what its forecasts are multiplied with. Forecasts of the middle of a skewed count lie below its
            mean, and only means add up.
        variance: level → mean squared error in units of the series' scale.
        trust: of ``TRUST``; the bottom's variance is multiplied with it, that of the levels above with roots of it.
    """

    bias: dict[str, float]
    variance: dict[str, float]
    trust: float

    @classmethod
    def fit(cls, hierarchy: Hierarchy, found: Backtest, said: np.ndarray) -> "Reconciler":
        """Choose the trust with the smallest scaled error, the mean of all levels.

        Args:
            hierarchy: whose nodes they are.
            found: the backtest on validation.
            said: (o, nodes, h) the forecasts to reconcile.
        """
        bias, variance = {}, {}
        for level, part in hierarchy.levels.items():
            some = np.isfinite(found.truth[:, part]) & np.isfinite(found.scale[:, part, None])
            truth, forecast = found.truth[:, part][some], said[:, part][some]
            bias[level] = float(truth.sum() / forecast.sum()) if forecast.sum() > 0 else 1.0
            scale = np.broadcast_to(found.scale[:, part, None], found.truth[:, part].shape)[some]
            variance[level] = float(np.mean(((truth - bias[level] * forecast) / scale) ** 2)) if some.any() else 1.0
        candidates = [cls(bias, variance, trust) for trust in TRUST]
        losses = [one.loss(hierarchy, found, said) for one in candidates]
        return candidates[int(np.argmin(losses))]

    def loss(self, hierarchy: Hierarchy, found: Backtest, said: np.ndarray) -> float:
        """Mean over levels of the mean absolute scaled error."""
        made = self.of(hierarchy, said, found.scale)
        errors = np.abs(made - found.truth) / found.scale[:, :, None]
        by_level = [errors[:, part] for part in hierarchy.levels.values()]
        return float(np.mean([one[np.isfinite(one)].mean() for one in by_level if np.isfinite(one).any()]))

    def of(self, hierarchy: Hierarchy, said: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """(o, nodes, h) that add up, from (o, nodes, h) and (o, nodes)."""
        factor, size = np.ones(said.shape[1]), np.ones(said.shape[1])
        count = max(len(hierarchy.levels) - 1, 1)
        for depth, (level, part) in enumerate(hierarchy.levels.items()):
            factor[part] = self.bias[level]
            size[part] = self.variance[level] * self.trust ** ((count - depth) / count)
        made = []
        for at, of in zip(said, scale, strict=True):
            variance = size * np.maximum(np.where(np.isfinite(of), of, 0.5), 0.1) ** 2
            made.append(hierarchy.reconciled(at * factor[:, None], variance))
        return np.stack(made)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Reconciler":
        """As ``as_json`` told."""
        return cls(**told)
