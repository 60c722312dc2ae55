"""A score as a number that behaves like a p-value: the share of normal scores that are at least as high.

Below the highest 5 % of the normal scores it is their own share; above, a generalised Pareto distribution fitted to
them by probability-weighted moments (J. R. M. Hosking and J. R. Wallis, Parameter and quantile estimation for the
generalized Pareto distribution, Technometrics 29, 1987; as alarms: A. Siffer and others, Anomaly detection in streams
with extreme value theory, KDD 2017).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.errors import InputError

TAIL = 0.05
GRID = 200
HEAVIEST = 0.5
"""Shape of the tail: not heavier than with a finite variance, nor with an end."""


@dataclass(frozen=True)
class Calibration:
    """Normal scores, in short.

    Attributes:
        grid: (k,) quantiles of them, ascending, at shares spread evenly from 0 to 1 - ``TAIL``.
        scale: of the tail beyond the last of them.
        shape: of the tail; 0 is exponential.
        count: how many there were.
    """

    grid: np.ndarray
    scale: float
    shape: float
    count: int

    @classmethod
    def fit(cls, scores: np.ndarray) -> "Calibration":
        """From scores (n,) of normal rows that the model was not fitted to.

        Raises:
            InputError: fewer than 100.
        """
        known = np.sort(scores[np.isfinite(scores)])
        if len(known) < 100:
            raise InputError(
                expected="at least 100 normal rows to calibrate scores on",
                found=str(len(known)),
                next_command="python -m transforms build  (with more history)",
            )
        grid = np.quantile(known, np.linspace(0, 1 - TAIL, GRID))
        excess = known[known > grid[-1]] - grid[-1]
        scale, shape = pareto(excess) if len(excess) >= 5 else (1e-9, 0.0)
        return cls(grid, scale, shape, len(known))

    def p_value(self, scores: np.ndarray) -> np.ndarray:
        """Of scores (n,): in (0, 1], NaN where the score is."""
        scores = np.asarray(scores, np.float64)
        last = self.grid[-1]
        low = np.searchsorted(self.grid, scores, side="left") / (len(self.grid) - 1) * (1 - TAIL)
        beyond = np.maximum(np.nan_to_num(scores) - last, 0) / self.scale
        if abs(self.shape) < 1e-6:
            tail = np.exp(-np.minimum(beyond, 600))
        else:
            tail = (1 + self.shape * beyond) ** (-1 / self.shape)
        found = np.where(scores > last, TAIL * tail, np.clip(1 - low, TAIL, 1))
        return np.where(np.isnan(scores), np.nan, np.clip(found, 1e-30, 1))

    def score_at(self, p_value: float) -> float:
        """The score that normal rows reach with this probability."""
        if p_value >= TAIL:
            return float(np.interp(1 - p_value, np.linspace(0, 1 - TAIL, GRID), self.grid))
        ratio = p_value / TAIL
        beyond = -np.log(ratio) if abs(self.shape) < 1e-6 else (ratio**-self.shape - 1) / self.shape
        return float(self.grid[-1] + self.scale * beyond)

    def as_json(self) -> dict[str, Any]:
        """For a bundle's manifest."""
        return {"grid": self.grid.tolist(), "scale": self.scale, "shape": self.shape, "count": self.count}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Calibration":
        """From ``as_json``."""
        return cls(np.array(told["grid"]), float(told["scale"]), float(told["shape"]), int(told["count"]))


def either(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One p-value of two, each of which may be missing (NaN): twice the smaller, whatever they have in common (C. E.
    Bonferroni).
    """
    both = np.fmin(first, second)
    return np.where(np.isnan(first) | np.isnan(second), both, np.minimum(2 * both, 1.0))


def both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One p-value of two that agree (R. A. Fisher, Statistical Methods for Research Workers, 1932)."""
    return fisher(-np.log10(np.maximum(first, 1e-300)) - np.log10(np.maximum(second, 1e-300)), 2)


def fisher(score: np.ndarray, count: int) -> np.ndarray:
    """The p-value of a sum of the -log10 of ``count`` p-values, as if these were independent (R. A. Fisher)."""
    half = np.maximum(np.asarray(score, np.float64), 0) * np.log(10)
    term = total = np.ones_like(half)
    for k in range(1, count):
        term = term * half / k
        total = total + term
    return np.clip(np.exp(-half) * total, 1e-300, 1)


def pareto(excess: np.ndarray) -> tuple[float, float]:
    """Scale and shape of a generalised Pareto distribution, from ascending excesses over its start."""
    n = len(excess)
    mean = float(excess.mean())
    weighted = float(((n - np.arange(1, n + 1)) / max(n - 1, 1) * excess).mean())
    if mean <= 0 or mean - 2 * weighted <= 1e-12 * mean:
        return max(mean, 1e-9), 0.0
    shape = float(np.clip(2 - mean / (mean - 2 * weighted), 0.0, HEAVIEST))
    return max(mean * (1 - shape), 1e-9), shape
