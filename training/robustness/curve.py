"""The measure of a model against the strength of an attack."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from training.validation.bootstrap import Interval, interval


@dataclass(frozen=True)
class Point:
    """The measure at one strength.

    Attributes:
        strength: strength of the attack, in the unit of the curve.
        figure: mean of the measure over the units, with its 95 % interval.
        change: mean difference from no attack, on the same units, with its interval.
    """

    strength: float
    figure: Interval
    change: Interval


@dataclass(frozen=True)
class Curve:
    """One attack on one target.

    Attributes:
        attack: name of the attack.
        about: what the attack does.
        unit: what a strength says.
        part: what was attacked of the model; empty for the whole.
        metric: name of the measure.
        higher_is_better: whether a higher measure is better.
        judged: what the model learned from, and what the units are.
        clean: the measure without attack.
        points: the measure at each strength, from weak to strong.
    """

    attack: str
    about: str
    unit: str
    part: str
    metric: str
    higher_is_better: bool
    judged: str
    clean: Interval
    points: tuple[Point, ...]

    @property
    def title(self) -> str:
        """The attack, and what was attacked if that is a part."""
        return f"{self.attack} on {self.part}" if self.part else self.attack

    @property
    def worst(self) -> Point:
        """The point at which the measure is worst."""
        return min(self.points, key=lambda point: point.figure.mean * (1 if self.higher_is_better else -1))


def curve_points(
    clean: np.ndarray, attacked: np.ndarray, strengths: Sequence[float], clusters: np.ndarray, seed: int
) -> tuple[Interval, tuple[Point, ...]]:
    """Computes the figures of a curve.

    Args:
        clean: (n,) measure without attack.
        attacked: (s, n) measure at each strength.
        strengths: the strengths.
        clusters: (n,) cluster of each unit.
        seed: seed of the resamples.

    >>> clean, points = curve_points(np.ones(20), np.zeros((1, 20)), [0.5], np.arange(20), 0)
    >>> clean.mean, points[0].figure.mean, points[0].change.high
    (1.0, 0.0, -1.0)
    """
    points = tuple(
        Point(float(strength), interval(values, clusters, seed=seed), interval(values - clean, clusters, seed=seed))
        for strength, values in zip(strengths, attacked, strict=True)
    )
    return interval(clean, clusters, seed=seed), points


def to_json(curves: Iterable[Curve]) -> list[dict[str, Any]]:
    """Serializes curves; what is no number becomes None."""
    return [json.loads(json.dumps(_finite(asdict(curve)))) for curve in curves]


def from_json(entries: Iterable[dict[str, Any]]) -> tuple[Curve, ...]:
    """Deserializes what ``to_json`` returns."""
    return tuple(
        Curve(
            **{
                **entry,
                "clean": _interval(entry["clean"]),
                "points": tuple(
                    Point(float(one["strength"]), _interval(one["figure"]), _interval(one["change"]))
                    for one in entry["points"]
                ),
            }
        )
        for entry in entries
    )


def _interval(entry: dict[str, Any]) -> Interval:
    mean, low, high = (float("nan") if entry[name] is None else float(entry[name]) for name in ("mean", "low", "high"))
    return Interval(mean, low, high, int(entry["units"]), int(entry["clusters"]))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
