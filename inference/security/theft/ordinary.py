"""What ordinary owners of keys ask, and from when on an owner is unlike them.

After ``CHECKPOINTS`` questions of a window, the share of questions with each mark is compared with ordinary owners: the
score is the largest ratio of a share's distance from their median to the distance of their highest share. One threshold
holds for the largest score of all checkpoints and windows of an owner, so looking often costs nothing.

**False alarms.** The threshold is an order statistic of that largest score among other ordinary owners, who had no part
in medians and highs: the highest but ``k``, where ``k`` is such that, with a confidence of 95 %, at most a share of
``FALSE_ALARMS`` of all owners lie above it (a distribution-free tolerance bound, Wilks 1941; the split-conformal way to
calibrate any score). It holds for owners who are exchangeable with those that calibrated it, and for as many windows as
these had.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from math import comb
from pathlib import Path

import numpy as np

CHECKPOINTS = (50, 100, 200, 300, 400, 500)
"""Numbers of questions of a window after which it is judged."""
FALSE_ALARMS = 0.001
"""Share of ordinary owners who may be flagged."""
CONFIDENCE = 0.95
NEW = "new"
"""Name of the share of distinct questions in a window."""
MIN_RANGE = 0.02
"""Minimum distance from the median to the highest share: less is chance."""
FOLDER = Path(__file__).parent / "profiles"


@dataclass(frozen=True)
class Profile:
    """What ordinary owners ask one kind of question.

    Attributes:
        names: names of the shares.
        medians: checkpoint → median of each share.
        highs: checkpoint → highest of each share.
        threshold: score above which an owner is unlike ordinary ones.
        owners: number of ordinary owners by which the threshold was found.
    """

    names: tuple[str, ...]
    medians: tuple[tuple[float, ...], ...]
    highs: tuple[tuple[float, ...], ...]
    threshold: float
    owners: int

    @classmethod
    @cache
    def load(cls, kind: str) -> "Profile":
        """Load a bundled profile: ``keys`` or ``rows``.

        >>> Profile.load("keys").names
        ('new', 'successor', 'unknown')
        """
        content = json.loads((FOLDER / f"{kind}.json").read_text())
        shares = {name: tuple(map(tuple, content[name])) for name in ("medians", "highs")}
        return cls(tuple(content["names"]), **shares, threshold=content["threshold"], owners=content["owners"])

    @classmethod
    def fit(cls, names: Sequence[str], fitting: np.ndarray, calibration: np.ndarray) -> "Profile":
        """Fit a profile.

        Args:
            names: names of the s shares, the first one ``NEW``.
            fitting: (owners, windows, checkpoints, s) shares of ordinary owners; NaN where they asked no more.
            calibration: the same of other ordinary owners.

        Raises:
            ValueError: too few owners calibrate it.
        """
        flat = of_new(fitting.reshape(-1, *fitting.shape[2:]))
        medians, highs = np.nanmedian(flat, axis=0), np.nanmax(flat, axis=0)
        profile = cls(tuple(names), _tuples(medians), _tuples(highs), float("inf"), len(calibration))
        largest = np.sort([profile.largest(owner) for owner in calibration])[::-1]
        return cls(**{**asdict(profile), "threshold": float(largest[rank_of_threshold(len(largest))])})

    def score(self, checkpoint: int, shares: Mapping[str, float]) -> tuple[float, str]:
        """Score the shares at a checkpoint; returns the score and the share that it is of.

        >>> profile = Profile(("new", "far"), ((0.2, 0.01),) * 6, ((1.0, 0.11),) * 6, 1.5, 4_000)
        >>> score, name = profile.score(100, {"new": 0.6, "far": 0.51})
        >>> round(score, 2), name
        (5.0, 'far')
        """
        place = CHECKPOINTS.index(checkpoint)
        values = of_new(np.array([shares.get(name, 0.0) for name in self.names]))
        low, high = np.array(self.medians[place]), np.array(self.highs[place])
        ratios = (values - low) / np.maximum(high - low, MIN_RANGE)
        best = int(np.argmax(ratios))
        return float(ratios[best]), self.names[best]

    def largest(self, shares: np.ndarray) -> float:
        """Return the largest score of one owner, whose shares are (windows, checkpoints, s)."""
        low, high = np.array(self.medians), np.array(self.highs)
        ratios = (of_new(shares) - low) / np.maximum(high - low, MIN_RANGE)
        return float(np.nanmax(np.where(np.isnan(ratios), -np.inf, ratios)))

    def save(self, kind: str) -> None:
        """Write the profile among the bundled ones."""
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{kind}.json").write_text(json.dumps(asdict(self), indent=1) + "\n")


def of_new(shares: np.ndarray) -> np.ndarray:
    """Cap shares (…, s) at the share of distinct questions, the first one: one odd question may be asked again.

    >>> of_new(np.array([0.1, 0.9, 0.05])).tolist()
    [0.1, 0.1, 0.05]
    """
    return np.minimum(shares, shares[..., :1])


def rank_of_threshold(owners: int) -> int:
    """Return how many of the highest scores lie above the threshold.

    Raises:
        ValueError: so few owners say nothing about one in a thousand.

    >>> rank_of_threshold(3_000), rank_of_threshold(6_000)
    (0, 1)
    """
    below, rank = 0.0, -1
    for count in range(owners):
        below += comb(owners, count) * FALSE_ALARMS**count * (1 - FALSE_ALARMS) ** (owners - count)
        if below > 1 - CONFIDENCE:
            break
        rank = count
    if rank < 0:
        raise ValueError(f"{owners} ordinary owners are too few for {FALSE_ALARMS:g}; 3,000 are enough")
    return rank


def checkpoint_between(before: int, after: int) -> int | None:
    """Return the last checkpoint that a window passes when it grows; None if it passes none.

    >>> checkpoint_between(40, 60), checkpoint_between(100, 199), checkpoint_between(0, 5_000)
    (50, None, 500)
    """
    return max((point for point in CHECKPOINTS if before < point <= after), default=None)


def _tuples(values: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 5) for value in row) for row in values)
