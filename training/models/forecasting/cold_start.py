"""Forecasts for tracks that nobody has played yet, from their likes: how tracks of the same artist began."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AGES = 28
"""Days after its release that a track counts as new."""


@dataclass(frozen=True)
class ReleaseCurve:
    """What a new track is played in each of its first days, per unit of what its artist's tracks are played.

    Attributes:
        curve: (AGES,) mean plays on the day of each age, in units of the artist's mean track.
        everyone: mean plays of a track a day, over all artists.
        pull: tracks of its own that an artist needs before they count as much as everyone's.
    """

    curve: np.ndarray
    everyone: float
    pull: float = 2.0

    @classmethod
    def fit(cls, values: np.ndarray, age: np.ndarray, artists: Sequence[str | None]) -> "ReleaseCurve":
        """Learn from tracks that came out within the histories.

        Args:
            values: (n, t) plays a day, NaN before the first.
            age: (n,) days since release at the end of the last step; NaN if not known.
            artists: (n,).
        """
        played = np.nan_to_num(values)
        everyone = float(played[:, -AGES:].mean()) if played.size else 0.0
        level = cls(np.ones(AGES), everyone).level(played, artists)
        totals, counts = np.zeros(AGES), np.zeros(AGES)
        steps = played.shape[1]
        for row in np.flatnonzero((age >= 0) & (age < steps)):
            first = steps - 1 - int(age[row])
            seen = played[row, first : first + AGES] / max(level[row], 1e-9)
            totals[: len(seen)] += seen
            counts[: len(seen)] += 1
        # with few releases each age is noise: a curve through those around it
        width = np.maximum(np.arange(AGES) // 3, 1)
        smooth = [
            totals[max(day - w, 0) : day + w + 1].sum() / max(counts[max(day - w, 0) : day + w + 1].sum(), 1)
            for day, w in enumerate(width.tolist())
        ]
        return cls(np.array(smooth) if counts.sum() else np.ones(AGES), everyone)

    def level(self, values: np.ndarray, artists: Sequence[str | None]) -> np.ndarray:
        """(n,) what a track of each one's artist is played a day, drawn towards everyone's where there are few."""
        names = {name: number for number, name in enumerate(sorted({name for name in artists if name is not None}))}
        group = np.array([names.get(name, len(names)) if name is not None else len(names) for name in artists], int)
        recent = np.nan_to_num(values)[:, -AGES:].mean(axis=1)
        heard = recent > 0
        total = np.bincount(group[heard], weights=recent[heard], minlength=len(names) + 1)
        count = np.bincount(group[heard], minlength=len(names) + 1)
        count[-1] = 0
        # drawn together as logarithms: fame is skewed, and a mean with everyone's would make the small ones large
        mine = np.log(np.maximum(total / np.maximum(count, 1), 1e-9))
        everyone = np.log(max(self.everyone, 1e-9))
        return np.exp((count * mine + self.pull * everyone) / (count + self.pull))[group]

    def forecast(self, level: np.ndarray, age: np.ndarray, horizon: int) -> np.ndarray:
        """(n, horizon) of tracks with an artist's level (n,) and an age (n,) in days at the origin."""
        days = np.clip(np.nan_to_num(age)[:, None] + np.arange(horizon), 0, AGES - 1).astype(int)
        return self.curve[days] * level[:, None]
