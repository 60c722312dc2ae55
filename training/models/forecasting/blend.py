"""Which ensemble of forecasters to use: chosen on backtests that end before what it is then measured on."""

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
        kind: its name, or that of the one member which was better than all ensembles.
        members: names of the forecasters that it takes, in order.
        ensemble: fitted.
        losses: of everything that was compared, on validation.
    """

    kind: str
    members: tuple[str, ...]
    ensemble: Ensemble
    losses: dict[str, float]

    @classmethod
    def choose(cls, found: Backtest, names: Sequence[str], loss: Loss = mean_absolute_error) -> "Blend":
        """The ensemble with the smallest loss: each is fitted on the older half of the origins and judged on the newer.

        With one origin they are judged where they were fitted. The chosen one is then fitted on all origins.
        """
        older, newer = _halves(found)
        fit_on, judge = older.members(names), newer.members(names)
        judged = {name: loss(judge.truth, column) for name, column in zip(names, judge.values.T, strict=True)}
        for kind in ENSEMBLES:
            ensemble = _fitted(kind, fit_on, older, loss)
            judged[kind] = loss(judge.truth, _combined(ensemble, judge.values, newer))
        kind = min(judged, key=lambda name: judged[name])
        if kind not in ENSEMBLES:  # one member alone: as weights, so that all blends are of one form
            alone = WeightedEnsemble(loss, weights={name: float(name == kind) for name in names})
            return cls(kind, tuple(names), alone, judged)
        return cls(kind, tuple(names), _fitted(kind, found.members(names), found, loss), judged)

    def combine(self, forecasts: dict[str, np.ndarray], scale: np.ndarray, segment: np.ndarray) -> np.ndarray:
        """Forecasts (n, h) of each member → (n, h).

        Args:
            forecasts: member → (n, h).
            scale: (n,) of the series; where it is not known, 1.
            segment: (n,) of the series, as of ``segments``.
        """
        size = np.where(np.isfinite(scale), scale, 1.0)[:, None]
        first = forecasts[self.members[0]]
        values = np.column_stack([(forecasts[name] / size).reshape(-1) for name in self.members])
        if isinstance(self.ensemble, SelectionEnsemble):
            made = self.ensemble.combine(values, np.repeat(segment, first.shape[1]))
        else:
            made = self.ensemble.combine(values)
        return made.reshape(first.shape) * size

    def of(self, found: Backtest) -> np.ndarray:
        """(o, n, h) what it says at each origin of a backtest."""
        return np.stack(
            [
                self.combine({name: found.forecasts[name][place] for name in self.members}, scale, segment)
                for place, (scale, segment) in enumerate(zip(found.scale, segments(found), strict=True))
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """Kind and weights, for people and manifests."""
        weights = getattr(self.ensemble, "weights", {})
        told = {name: dict(one) if hasattr(one, "items") else one for name, one in weights.items()}
        constant = getattr(self.ensemble, "constant", 0.0)
        shown = {"kind": self.kind, "members": list(self.members), "weights": told, "losses": self.losses}
        return shown | ({"constant": constant} if constant else {})

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Blend":
        """As ``as_json`` told."""
        names, weights, kind = tuple(told["members"]), told["weights"], told["kind"]
        ensemble: Ensemble
        match kind:
            case "mean":
                ensemble = MeanEnsemble(names)
            case "median":
                ensemble = MedianEnsemble(names)
            case "stacking":
                ensemble = StackingEnsemble(weights=weights, constant=told.get("constant", 0.0))
            case "selection":
                by_segment = {name: WeightedEnsemble(weights=one) for name, one in weights.items() if name}
                ensemble = SelectionEnsemble(whole=WeightedEnsemble(weights=weights[""]), by_segment=by_segment)
            case _:
                ensemble = WeightedEnsemble(weights=weights)
        return cls(kind, names, ensemble, told["losses"])


ENSEMBLES = ("mean", "median", "weighted", "stacking", "selection")


def segments(found: Backtest) -> np.ndarray:
    """(o, n) texts: how large what comes is said to be, in units of the series' scale.

    A series whose forecasts are small beside its usual error is mostly noise, and other members serve it best.
    """
    middle = np.median(np.stack(list(found.forecasts.values())), axis=0).mean(axis=2)
    return segment_of(middle, found.scale)


def segment_of(middle: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Of the mean (…,) of the members' median forecast and the scale (…,)."""
    size = middle / np.where(np.isfinite(scale), scale, 1.0)
    return np.where(size < 1, "sparse", np.where(size < 5, "noisy", "steady"))


def _halves(found: Backtest) -> tuple[Backtest, Backtest]:
    order = np.argsort(found.origins)
    if len(order) < 2:
        return found, found
    half = len(order) // 2
    return _at(found, order[:half]), _at(found, order[half:])


def _at(found: Backtest, places: np.ndarray) -> Backtest:
    forecasts = {name: values[places] for name, values in found.forecasts.items()}
    return Backtest(forecasts, found.truth[places], found.scale[places], found.origins[places])


def _fitted(kind: str, members: Members, found: Backtest, loss: Loss) -> Ensemble:
    match kind:
        case "mean":
            return MeanEnsemble().fit(members)
        case "median":
            return MedianEnsemble().fit(members)
        case "weighted":
            return WeightedEnsemble(loss).fit(members)
        case "stacking":
            return StackingEnsemble().fit(members)
    return SelectionEnsemble(loss).fit(members, _rows(segments(found), found))


def _combined(ensemble: Ensemble, values: np.ndarray, found: Backtest) -> np.ndarray:
    if isinstance(ensemble, SelectionEnsemble):
        return ensemble.combine(values, _rows(segments(found), found))
    return ensemble.combine(values)


def _rows(by_series: np.ndarray, found: Backtest) -> np.ndarray:
    return np.broadcast_to(by_series[:, :, None], found.truth.shape)[found.measurable]
