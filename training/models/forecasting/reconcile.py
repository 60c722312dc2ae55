"""Reconciliation of a hierarchy's forecasts with parameters learned on validation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.models.forecasting.backtest import Backtest
from training.models.forecasting.hierarchy import Hierarchy

TRUST = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
"""Factors to try for the variance of the bottom level, whose errors are correlated on hot days and holidays."""


@dataclass(frozen=True)
class Reconciler:
    """Parameters of ``Hierarchy.reconcile``.

    Attributes:
        bias: level → factor of its forecasts. Median forecasts of skewed counts lie below the mean, and only means add
            up.
        variance: level → mean squared error in units of the series' scale.
        trust: factor from ``TRUST`` for the variance of the bottom level; the levels above get roots of it.
    """

    bias: dict[str, float]
    variance: dict[str, float]
    trust: float

    @classmethod
    def fit(cls, hierarchy: Hierarchy, validation: Backtest, forecasts: np.ndarray) -> "Reconciler":
        """Chooses the trust with the smallest mean scaled error over all levels.

        Args:
            hierarchy: hierarchy of the nodes.
            validation: backtest on the validation origins.
            forecasts: (o, nodes, h) forecasts to reconcile.
        """
        bias, variance = {}, {}
        for level, part in hierarchy.levels.items():
            measurable = np.isfinite(validation.truth[:, part]) & np.isfinite(validation.scale[:, part, None])
            truth, forecast = validation.truth[:, part][measurable], forecasts[:, part][measurable]
            bias[level] = float(truth.sum() / forecast.sum()) if forecast.sum() > 0 else 1.0
            scale = np.broadcast_to(validation.scale[:, part, None], validation.truth[:, part].shape)[measurable]
            variance[level] = (
                float(np.mean(((truth - bias[level] * forecast) / scale) ** 2)) if measurable.any() else 1.0
            )
        candidates = [cls(bias, variance, trust) for trust in TRUST]
        losses = [candidate.loss(hierarchy, validation, forecasts) for candidate in candidates]
        return candidates[int(np.argmin(losses))]

    def loss(self, hierarchy: Hierarchy, validation: Backtest, forecasts: np.ndarray) -> float:
        """Computes the mean absolute scaled error of the reconciled forecasts, as the mean over levels."""
        reconciled = self.reconcile(hierarchy, forecasts, validation.scale)
        errors = np.abs(reconciled - validation.truth) / validation.scale[:, :, None]
        by_level = [errors[:, part] for part in hierarchy.levels.values()]
        return float(
            np.mean(
                [
                    level_errors[np.isfinite(level_errors)].mean()
                    for level_errors in by_level
                    if np.isfinite(level_errors).any()
                ]
            )
        )

    def reconcile(self, hierarchy: Hierarchy, forecasts: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Reconciles forecasts (o, nodes, h) of series with scales (o, nodes): (o, nodes, h) that add up."""
        factor, size = np.ones(forecasts.shape[1]), np.ones(forecasts.shape[1])
        count = max(len(hierarchy.levels) - 1, 1)
        for depth, (level, part) in enumerate(hierarchy.levels.items()):
            factor[part] = self.bias[level]
            size[part] = self.variance[level] * self.trust ** ((count - depth) / count)
        reconciled = []
        for forecast, origin_scale in zip(forecasts, scale, strict=True):
            variance = size * np.maximum(np.where(np.isfinite(origin_scale), origin_scale, 0.5), 0.1) ** 2
            reconciled.append(hierarchy.reconcile(forecast * factor[:, None], variance))
        return np.stack(reconciled)

    def as_json(self) -> dict[str, Any]:
        """Returns all parameters."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Reconciler":
        """Builds a reconciler from the result of ``as_json``."""
        return cls(**values)
