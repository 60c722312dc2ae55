"""What a run keeps of its test: one figure for each unit, by the model and by the baselines beside it.

A unit is what the test asks about: a listener, a row, a text, a series at an origin, an incident. Two versions are
compared on the units that both were asked about, so that a difference is not that of their tests.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.validation.bootstrap import Interval, interval

EVIDENCE = "evidence.npz"
"""Its name in a bundle."""
OURS = "model"
"""Whose figures those of the model are."""


@dataclass(frozen=True)
class Evidence:
    """Of one run.

    Attributes:
        metric: what was measured, such as ``log_loss``.
        higher_is_better: its direction.
        units: (n,) digests of what was asked about, the same ones in the next run's test if it is asked again.
        values: who → (n,) figure of each unit; ``OURS``, and the baselines. NaN where there is none.
        clusters: (n,) what belongs together and is resampled as one, such as the listener of a row; the units if empty.
        segments: name of a division, such as ``plan`` → (n,) segment of each unit; empty for unknown.
        outcome: (n,) 0 or 1, where the model says a chance; else empty.
        chance: (n,) that it said; likewise.
    """

    metric: str
    higher_is_better: bool
    units: np.ndarray
    values: Mapping[str, np.ndarray]
    clusters: np.ndarray = field(default_factory=lambda: np.empty(0, "U1"))
    segments: Mapping[str, np.ndarray] = field(default_factory=dict)
    outcome: np.ndarray = field(default_factory=lambda: np.empty(0))
    chance: np.ndarray = field(default_factory=lambda: np.empty(0))

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
    ) -> "Evidence":
        """Of anything that names and numbers can be made of; names, which may be of people, are kept as digests."""
        return cls(
            metric,
            higher_is_better,
            _digests(units),
            {who: np.asarray(told, np.float64) for who, told in values.items()},
            _digests(clusters),
            {name: _texts(told) for name, told in (segments or {}).items()},
            np.empty(0) if outcome is None else np.asarray(outcome, np.float64),
            np.empty(0) if chance is None else np.asarray(chance, np.float64),
        )

    @classmethod
    def of_classes(
        cls,
        asked: Sequence[str],
        truth: np.ndarray,
        chances: Mapping[str, np.ndarray],
        *,
        clusters: Sequence[object] | np.ndarray = (),
    ) -> "Evidence":
        """Log loss of chances (n, k) of classes (n,), by whom, for some texts."""
        losses = {who: -np.log(np.clip(told[np.arange(len(truth)), truth], 1e-7, 1.0)) for who, told in chances.items()}
        return cls.of("log_loss", asked, losses, clusters=clusters)

    @property
    def grouped(self) -> np.ndarray:
        """(n,) what is resampled as one."""
        return self.clusters if len(self.clusters) else self.units

    @property
    def baselines(self) -> list[str]:
        """Everybody but the model."""
        return [who for who in self.values if who != OURS]

    def figure(self, who: str = OURS) -> Interval:
        """Mean over the units, with its interval."""
        return interval(self.values[who], self.grouped)

    def gain(self, other: str) -> Interval:
        """How much better than a baseline: positive is better, whatever the direction."""
        return interval(self._sign * (self.values[OURS] - self.values[other]), self.grouped)

    def gain_over(self, champion: "Evidence") -> Interval | None:
        """How much better than another version on the units that both were asked about; None where there are none."""
        _, mine, theirs = np.intersect1d(self.units, champion.units, return_indices=True)
        if champion.metric != self.metric or not len(mine):
            return None
        difference = self.values[OURS][mine] - champion.values[OURS][theirs]
        return interval(self._sign * difference, self.grouped[mine])

    def by_segment(self, division: str, fewest: int = 20) -> dict[str, Interval]:
        """The model's figure for each segment of a division with so many units or more."""
        of_unit = self.segments[division]
        found = {}
        for name in np.unique(of_unit).tolist():
            mine = of_unit == name
            if name and mine.sum() >= fewest:
                found[name] = interval(self.values[OURS][mine], self.grouped[mine])
        return found

    @property
    def _sign(self) -> float:
        return 1.0 if self.higher_is_better else -1.0

    def to_bytes(self) -> bytes:
        """As a file of a bundle."""
        told: dict[str, np.ndarray] = {
            "metric": np.array([self.metric]),
            "higher_is_better": np.array([self.higher_is_better]),
            "units": self.units,
            "clusters": self.clusters,
            "outcome": self.outcome,
            "chance": self.chance,
            **{f"values/{who}": values for who, values in self.values.items()},
            **{f"segments/{name}": values for name, values in self.segments.items()},
        }
        out = io.BytesIO()
        np.savez_compressed(out, **told)  # type: ignore[arg-type]
        return out.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Evidence":
        """What ``to_bytes`` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as told:
            of = {name: told[name] for name in told.files}
        parts: dict[str, dict[str, np.ndarray]] = {"values": {}, "segments": {}}
        for name, array in of.items():
            kind, _, rest = name.partition("/")
            if rest:
                parts[kind][rest] = array
        return cls(
            str(of["metric"][0]),
            bool(of["higher_is_better"][0]),
            of["units"],
            parts["values"],
            of["clusters"],
            parts["segments"],
            of["outcome"],
            of["chance"],
        )


def together(parts: Sequence[Evidence]) -> Evidence | None:
    """Of one metric, as one; None of none."""
    if not parts:
        return None
    first = parts[0]
    return Evidence(
        first.metric,
        first.higher_is_better,
        np.concatenate([part.units for part in parts]),
        {who: np.concatenate([part.values[who] for part in parts]) for who in first.values},
        np.concatenate([part.grouped for part in parts]),
    )


def digest(text: str) -> str:
    """A name for what a test asked about that does not give it away."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _digests(names: Sequence[object] | np.ndarray) -> np.ndarray:
    return np.array([digest(str(name)) for name in names], dtype=np.str_)


def _texts(values: Sequence[object] | np.ndarray) -> np.ndarray:
    return np.array(["" if value is None else str(value) for value in values], dtype=np.str_)
