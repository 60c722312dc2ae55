"""Choice of an ensemble of forecasters, on backtests that end before the test origins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.models.ensemble import (
    MeanEnsemble,
    MedianEnsemble,
    Members,
    SelectionEnsemble,
    StackingEnsemble,
    WeightedEnsemble,
)
from training.models.ensemble.weighted import Loss, mean_absolute_error
from training.models.forecasting.backtest import Backtest

Ensemble = MeanEnsemble | MedianEnsemble | WeightedEnsemble | StackingEnsemble | SelectionEnsemble


@dataclass(frozen=True)
class Blend:
    """A chosen ensemble.

    Attributes:
        kind: name of the ensemble, or of the single member that was better than all ensembles.
        members: names of the forecasters, in order.
        ensemble: fitted ensemble.
        losses: loss on validation of every ensemble and member.
    """

    kind: str
    members: tuple[str, ...]
    ensemble: Ensemble
    losses: dict[str, float]

    @classmethod
    def choose(cls, validation: Backtest, names: Sequence[str], loss: Loss = mean_absolute_error) -> "Blend":
        """Chooses the ensemble with the smallest loss: fitted on the older half of the origins, tested on the newer.

        With a single origin, ensembles are tested where they were fitted. The chosen one is refitted on all origins.
        """
        older, newer = _split_by_origin(validation)
        train_members, test_members = older.members(names), newer.members(names)
        losses = {
            name: loss(test_members.truth, column) for name, column in zip(names, test_members.values.T, strict=True)
        }
        for kind in ENSEMBLES:
            ensemble = _fit_ensemble(kind, train_members, older, loss)
            losses[kind] = loss(test_members.truth, _combine(ensemble, test_members.values, newer))
        kind = min(losses, key=lambda name: losses[name])
        if kind not in ENSEMBLES:  # a single member as weights, so that all blends have one form
            single_member = WeightedEnsemble(loss, weights={name: float(name == kind) for name in names})
            return cls(kind, tuple(names), single_member, losses)
        return cls(kind, tuple(names), _fit_ensemble(kind, validation.members(names), validation, loss), losses)

    def combine(self, forecasts: dict[str, np.ndarray], scale: np.ndarray, segment: np.ndarray) -> np.ndarray:
        """Combines the forecasts of the members into one, (n, h).

        Args:
            forecasts: member → forecasts (n, h).
            scale: (n,) scale of each series; NaN counts as 1.
            segment: (n,) segment of each series, as of ``segments``.
        """
        scale_column = np.where(np.isfinite(scale), scale, 1.0)[:, None]
        first = forecasts[self.members[0]]
        values = np.column_stack([(forecasts[name] / scale_column).reshape(-1) for name in self.members])
        if isinstance(self.ensemble, SelectionEnsemble):
            combined = self.ensemble.combine(values, np.repeat(segment, first.shape[1]))
        else:
            combined = self.ensemble.combine(values)
        return combined.reshape(first.shape) * scale_column

    def of(self, backtest: Backtest) -> np.ndarray:
        """Combines the forecasts at each origin of a backtest: (o, n, h)."""
        return np.stack(
            [
                self.combine({name: backtest.forecasts[name][origin] for name in self.members}, scale, segment)
                for origin, (scale, segment) in enumerate(zip(backtest.scale, segments(backtest), strict=True))
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """Returns kind, members, weights and losses, for reports and bundles."""
        weights = getattr(self.ensemble, "weights", {})
        json_weights = {
            name: dict(member_weights) if hasattr(member_weights, "items") else member_weights
            for name, member_weights in weights.items()
        }
        constant = getattr(self.ensemble, "constant", 0.0)
        values = {"kind": self.kind, "members": list(self.members), "weights": json_weights, "losses": self.losses}
        return values | ({"constant": constant} if constant else {})

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Blend":
        """Builds a blend from the result of ``as_json``."""
        names, weights, kind = tuple(values["members"]), values["weights"], values["kind"]
        ensemble: Ensemble
        match kind:
            case "mean":
                ensemble = MeanEnsemble(names)
            case "median":
                ensemble = MedianEnsemble(names)
            case "stacking":
                ensemble = StackingEnsemble(weights=weights, constant=values.get("constant", 0.0))
            case "selection":
                by_segment = {
                    name: WeightedEnsemble(weights=member_weights) for name, member_weights in weights.items() if name
                }
                ensemble = SelectionEnsemble(whole=WeightedEnsemble(weights=weights[""]), by_segment=by_segment)
            case _:
                ensemble = WeightedEnsemble(weights=weights)
        return cls(kind, names, ensemble, values["losses"])


ENSEMBLES = ("mean", "median", "weighted", "stacking", "selection")


def segments(backtest: Backtest) -> np.ndarray:
    """Assigns each series at each origin a segment, (o, n), by the size of its forecasts relative to its scale.

    A series whose forecasts are small relative to its usual error is mostly noise; other members forecast it best.
    """
    median_forecast = np.median(np.stack(list(backtest.forecasts.values())), axis=0).mean(axis=2)
    return segment_of(median_forecast, backtest.scale)


def segment_of(middle: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Assigns segments (…,) from the mean of the members' median forecast (…,) and the scale (…,)."""
    relative_size = middle / np.where(np.isfinite(scale), scale, 1.0)
    return np.where(relative_size < 1, "sparse", np.where(relative_size < 5, "noisy", "steady"))


def _split_by_origin(backtest: Backtest) -> tuple[Backtest, Backtest]:
    order = np.argsort(backtest.origins)
    if len(order) < 2:
        return backtest, backtest
    half = len(order) // 2
    return _select_origins(backtest, order[:half]), _select_origins(backtest, order[half:])


def _select_origins(backtest: Backtest, origins: np.ndarray) -> Backtest:
    forecasts = {name: values[origins] for name, values in backtest.forecasts.items()}
    return Backtest(forecasts, backtest.truth[origins], backtest.scale[origins], backtest.origins[origins])


def _fit_ensemble(kind: str, members: Members, backtest: Backtest, loss: Loss) -> Ensemble:
    match kind:
        case "mean":
            return MeanEnsemble().fit(members)
        case "median":
            return MedianEnsemble().fit(members)
        case "weighted":
            return WeightedEnsemble(loss).fit(members)
        case "stacking":
            return StackingEnsemble().fit(members)
    return SelectionEnsemble(loss).fit(members, _measurable_rows(segments(backtest), backtest))


def _combine(ensemble: Ensemble, values: np.ndarray, backtest: Backtest) -> np.ndarray:
    if isinstance(ensemble, SelectionEnsemble):
        return ensemble.combine(values, _measurable_rows(segments(backtest), backtest))
    return ensemble.combine(values)


def _measurable_rows(by_series: np.ndarray, backtest: Backtest) -> np.ndarray:
    return np.broadcast_to(by_series[:, :, None], backtest.truth.shape)[backtest.measurable]
