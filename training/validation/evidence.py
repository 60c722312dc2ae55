"""The evidence of a test: one figure per unit, of the model and of the baselines.

A unit is one test case: a listener, a row, a text, a series at an origin, an incident. Two versions are compared on
the units that both tests share, so that a difference does not come from different tests.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.validation.bootstrap import Interval, interval
from transforms.pure import npz

EVIDENCE = "evidence.npz"
"""File name in a bundle."""
MODEL_KEY = "model"
"""Name of the model's own figures in ``values``."""
PERMUTED = "permuted_labels"
"""Name of the figures of a fit on permuted labels: the floor, which holds what is reached without learning anything."""


@dataclass(frozen=True)
class Evidence:
    """The test figures of one run.

    Attributes:
        metric: name of the metric, such as ``log_loss``.
        higher_is_better: direction of the metric.
        units: (n,) digests of the test units; the same unit has the same digest in the next run's test.
        values: model or baseline → (n,) figure of each unit; ``MODEL_KEY`` is the model. NaN where there is none.
        clusters: (n,) cluster of each unit, resampled as one, such as the listener of a row; the units if empty.
        segments: name of a division, such as ``plan`` → (n,) segment of each unit; empty for unknown.
        outcome: (n,) 0 or 1 for a model that predicts a chance; else empty.
        chance: (n,) predicted chances; else empty.
        familiar: (n,) what of a unit the model has learned from: ``copy`` for the same features, ``entity`` for the
            same entity, empty for neither. Empty if it is not known of any unit.
    """

    metric: str
    higher_is_better: bool
    units: np.ndarray
    values: Mapping[str, np.ndarray]
    clusters: np.ndarray = field(default_factory=lambda: np.empty(0, "U1"))
    segments: Mapping[str, np.ndarray] = field(default_factory=dict)
    outcome: np.ndarray = field(default_factory=lambda: np.empty(0))
    chance: np.ndarray = field(default_factory=lambda: np.empty(0))
    familiar: np.ndarray = field(default_factory=lambda: np.empty(0, "U1"))

    @classmethod
    def of(
        cls,
        metric: str,
        units: Sequence[object] | np.ndarray,
        values: Mapping[str, np.ndarray],
        *,
        higher_is_better: bool = False,
        clusters: Sequence[object] | np.ndarray = (),
        segments: Mapping[str, Sequence[object] | np.ndarray] | None = None,
        outcome: np.ndarray | None = None,
        chance: np.ndarray | None = None,
        familiar: np.ndarray | None = None,
    ) -> "Evidence":
        """Makes evidence from plain names and numbers. Names, which may identify people, are stored as digests."""
        return cls(
            metric,
            higher_is_better,
            _digests(units),
            {model_name: np.asarray(figures, np.float64) for model_name, figures in values.items()},
            _digests(clusters),
            {name: _texts(names) for name, names in (segments or {}).items()},
            np.empty(0) if outcome is None else np.asarray(outcome, np.float64),
            np.empty(0) if chance is None else np.asarray(chance, np.float64),
            np.empty(0, "U1") if familiar is None else np.asarray(familiar, np.str_),
        )

    @classmethod
    def of_classes(
        cls,
        texts: Sequence[str],
        truth: np.ndarray,
        chances: Mapping[str, np.ndarray],
        *,
        clusters: Sequence[object] | np.ndarray = (),
        familiar: np.ndarray | None = None,
    ) -> "Evidence":
        """Makes evidence of the log loss of chances (n, k) of classes (n,), by model, for n texts."""
        losses = {
            model_name: -np.log(np.clip(chance[np.arange(len(truth)), truth], 1e-7, 1.0))
            for model_name, chance in chances.items()
        }
        return cls.of("log_loss", texts, losses, clusters=clusters, familiar=familiar)

    @property
    def grouped(self) -> np.ndarray:
        """(n,) cluster of each unit."""
        return self.clusters if len(self.clusters) else self.units

    @property
    def baselines(self) -> list[str]:
        """Names of all baselines; a fit on permuted labels is none."""
        return [model_name for model_name in self.values if model_name not in (MODEL_KEY, PERMUTED)]

    def figure(self, model_name: str = MODEL_KEY) -> Interval:
        """Computes the mean over the units, with its interval."""
        return interval(self.values[model_name], self.grouped)

    def gain(self, other: str, *, of: str = MODEL_KEY, units: np.ndarray | None = None) -> Interval:
        """Computes how much better the model is than a baseline: positive is better, whatever the direction.

        Args:
            other: name of the baseline.
            of: name of what is compared with it.
            units: (n,) mask of the units that count; all if None.
        """
        with np.errstate(invalid="ignore", over="ignore"):  # infinite figures have no difference
            gains, grouped = self._sign * (self.values[of] - self.values[other]), self.grouped
        return interval(gains, grouped) if units is None else interval(gains[units], grouped[units])

    def gain_over(self, champion: "Evidence") -> Interval | None:
        """Computes how much better the model is than another version on shared units; None if there are none."""
        _, own_units, champion_units = np.intersect1d(self.units, champion.units, return_indices=True)
        if champion.metric != self.metric or not len(own_units):
            return None
        difference = self.values[MODEL_KEY][own_units] - champion.values[MODEL_KEY][champion_units]
        return interval(self._sign * difference, self.grouped[own_units])

    def by_segment(self, division: str, fewest: int = 20) -> dict[str, Interval]:
        """Computes the model's figure for each segment of a division that has at least so many units."""
        segments = self.segments[division]
        figures = {}
        for name in np.unique(segments).tolist():
            in_segment = segments == name
            if name and in_segment.sum() >= fewest:
                figures[name] = interval(self.values[MODEL_KEY][in_segment], self.grouped[in_segment])
        return figures

    @property
    def _sign(self) -> float:
        return 1.0 if self.higher_is_better else -1.0

    def to_bytes(self) -> bytes:
        """Serializes the evidence as a file of a bundle."""
        arrays: dict[str, np.ndarray] = {
            "metric": np.array([self.metric]),
            "higher_is_better": np.array([self.higher_is_better]),
            "units": self.units,
            "clusters": self.clusters,
            "outcome": self.outcome,
            "chance": self.chance,
            "familiar": self.familiar,
            **{f"values/{model_name}": values for model_name, values in self.values.items()},
            **{f"segments/{name}": values for name, values in self.segments.items()},
        }
        return npz.pack(arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Evidence":
        """Reads what ``to_bytes`` wrote."""
        arrays = npz.unpack(content)
        parts: dict[str, dict[str, np.ndarray]] = {"values": {}, "segments": {}}
        for name, array in arrays.items():
            kind, _, rest = name.partition("/")
            if rest:
                parts[kind][rest] = array
        return cls(
            str(arrays["metric"][0]),
            bool(arrays["higher_is_better"][0]),
            arrays["units"],
            parts["values"],
            arrays["clusters"],
            parts["segments"],
            arrays["outcome"],
            arrays["chance"],
            arrays.get("familiar", np.empty(0, "U1")),  # not in evidence of earlier versions
        )


def combine(parts: Sequence[Evidence]) -> Evidence | None:
    """Concatenates evidence of one metric; None for an empty list."""
    if not parts:
        return None
    first = parts[0]
    return Evidence(
        first.metric,
        first.higher_is_better,
        np.concatenate([part.units for part in parts]),
        {model_name: np.concatenate([part.values[model_name] for part in parts]) for model_name in first.values},
        np.concatenate([part.grouped for part in parts]),
        familiar=np.concatenate([part.familiar for part in parts]),
    )


def digest(text: str) -> str:
    """Returns a digest that names a test unit without revealing it."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _digests(names: Sequence[object] | np.ndarray) -> np.ndarray:
    return np.array([digest(str(name)) for name in names], dtype=np.str_)


def _texts(values: Sequence[object] | np.ndarray) -> np.ndarray:
    return np.array(["" if value is None else str(value) for value in values], dtype=np.str_)
