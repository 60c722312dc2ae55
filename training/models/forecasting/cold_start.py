"""Forecasts for new tracks without plays, from the first days of tracks of the same artist."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AGES = 28
"""Number of days after its release during which a track is new."""


@dataclass(frozen=True)
class ReleaseCurve:
    """Plays of a new track on each of its first days, relative to the mean plays of its artist's tracks.

    Attributes:
        curve: (AGES,) mean plays by age in days, in units of the mean track of the artist.
        everyone: mean plays of a track a day, over all artists.
        pull: number of an artist's own tracks at which they weigh as much as the mean of all artists (shrinkage).
    """

    curve: np.ndarray
    everyone: float
    pull: float = 2.0

    @classmethod
    def fit(cls, values: np.ndarray, age: np.ndarray, artists: Sequence[str | None]) -> "ReleaseCurve":
        """Learns from tracks that were released within the histories.

        Args:
            values: (n, t) plays a day, NaN before the first play.
            age: (n,) days since release at the end of the last step; NaN if unknown.
            artists: (n,) artist of each track.
        """
        played = np.nan_to_num(values)
        everyone = float(played[:, -AGES:].mean()) if played.size else 0.0
        level = cls(np.ones(AGES), everyone).level(played, artists)
        totals, counts = np.zeros(AGES), np.zeros(AGES)
        steps = played.shape[1]
        for row in np.flatnonzero((age >= 0) & (age < steps)):
            first = steps - 1 - int(age[row])
            first_days = played[row, first : first + AGES] / max(level[row], 1e-9)
            totals[: len(first_days)] += first_days
            counts[: len(first_days)] += 1
        # smooth over neighbouring ages, because each age is noisy with few releases
        widths = np.maximum(np.arange(AGES) // 3, 1)
        smoothed = [
            totals[max(day - width, 0) : day + width + 1].sum()
            / max(counts[max(day - width, 0) : day + width + 1].sum(), 1)
            for day, width in enumerate(widths.tolist())
        ]
        return cls(np.array(smoothed) if counts.sum() else np.ones(AGES), everyone)

    def level(self, values: np.ndarray, artists: Sequence[str | None]) -> np.ndarray:
        """Computes the mean plays a day of a track of each artist, (n,), shrunk towards the mean of all artists."""
        artist_number = {
            name: number for number, name in enumerate(sorted({name for name in artists if name is not None}))
        }
        artist = np.array(
            [
                artist_number.get(name, len(artist_number)) if name is not None else len(artist_number)
                for name in artists
            ],
            int,
        )
        recent = np.nan_to_num(values)[:, -AGES:].mean(axis=1)
        is_played = recent > 0
        total = np.bincount(artist[is_played], weights=recent[is_played], minlength=len(artist_number) + 1)
        count = np.bincount(artist[is_played], minlength=len(artist_number) + 1)
        count[-1] = 0
        # shrink in logarithms: popularity is skewed, and an arithmetic mean would inflate small artists
        log_artist_mean = np.log(np.maximum(total / np.maximum(count, 1), 1e-9))
        log_overall_mean = np.log(max(self.everyone, 1e-9))
        return np.exp((count * log_artist_mean + self.pull * log_overall_mean) / (count + self.pull))[artist]

    def forecast(self, level: np.ndarray, age: np.ndarray, horizon: int) -> np.ndarray:
        """Forecasts tracks, (n, horizon), from their artist's level (n,) and their age (n,) in days at the origin."""
        days = np.clip(np.nan_to_num(age)[:, None] + np.arange(horizon), 0, AGES - 1).astype(int)
        return self.curve[days] * level[:, None]
