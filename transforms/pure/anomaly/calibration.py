"""Calibration of scores to numbers that behave like p-values: the share of normal scores that are at least as high.

Below the highest 5 % of the normal scores it is the empirical share. Above, a generalised Pareto distribution is fitted
by probability-weighted moments (J. R. M. Hosking and J. R. Wallis, Parameter and quantile estimation for the
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
"""Largest shape of the tail, at the limit of a finite variance; the smallest is 0, a tail without an end."""


@dataclass(frozen=True)
class Calibration:
    """A summary of normal scores.

    Attributes:
        grid: (k,) quantiles, ascending, at shares spread evenly from 0 to 1 - ``TAIL``.
        scale: scale of the Pareto tail beyond the last quantile.
        shape: shape of the tail; 0 is exponential.
        count: number of normal scores.
    """

    grid: np.ndarray
    scale: float
    shape: float
    count: int

    @classmethod
    def fit(cls, scores: np.ndarray) -> "Calibration":
        """Fit to scores (n,) of normal rows that the model was not fitted to.

        Raises:
            InputError: there are fewer than 100 scores.
        """
        ordered = np.sort(scores[np.isfinite(scores)])
        if len(ordered) < 100:
            raise InputError(
                expected="at least 100 normal rows to calibrate scores on",
                found=str(len(ordered)),
                next_command="refrain build  (with more history)",
            )
        grid = np.quantile(ordered, np.linspace(0, 1 - TAIL, GRID))
        excess = ordered[ordered > grid[-1]] - grid[-1]
        scale, shape = pareto(excess) if len(excess) >= 5 else (1e-9, 0.0)
        return cls(grid, scale, shape, len(ordered))

    def p_value(self, scores: np.ndarray) -> np.ndarray:
        """P-values in (0, 1] of scores (n,); NaN where the score is NaN."""
        scores = np.asarray(scores, np.float64)
        last = self.grid[-1]
        low = np.searchsorted(self.grid, scores, side="left") / (len(self.grid) - 1) * (1 - TAIL)
        beyond = np.maximum(np.nan_to_num(scores) - last, 0) / self.scale
        if abs(self.shape) < 1e-6:
            tail = np.exp(-np.minimum(beyond, 600))
        else:
            tail = (1 + self.shape * beyond) ** (-1 / self.shape)
        p_values = np.where(scores > last, TAIL * tail, np.clip(1 - low, TAIL, 1))
        return np.where(np.isnan(scores), np.nan, np.clip(p_values, 1e-30, 1))

    def score_at(self, p_value: float) -> float:
        """The score that normal rows reach or exceed with this probability."""
        if p_value >= TAIL:
            return float(np.interp(1 - p_value, np.linspace(0, 1 - TAIL, GRID), self.grid))
        ratio = p_value / TAIL
        beyond = -np.log(ratio) if abs(self.shape) < 1e-6 else (ratio**-self.shape - 1) / self.shape
        return float(self.grid[-1] + self.scale * beyond)

    def as_json(self) -> dict[str, Any]:
        """Serialize for a bundle's manifest."""
        return {"grid": self.grid.tolist(), "scale": self.scale, "shape": self.shape, "count": self.count}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Calibration":
        """Deserialize the value of ``as_json``."""
        return cls(np.array(fields["grid"]), float(fields["scale"]), float(fields["shape"]), int(fields["count"]))


def either(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Combine two p-values, each of which may be missing (NaN), for "at least one is unusual".

    The result is twice the smaller one, valid under any dependence (C. E. Bonferroni).
    """
    smaller = np.fmin(first, second)
    return np.where(np.isnan(first) | np.isnan(second), smaller, np.minimum(2 * smaller, 1.0))


def both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Combine two p-values as joint evidence (R. A. Fisher, Statistical Methods for Research Workers, 1932)."""
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
    """Fit a generalised Pareto distribution to ascending excesses over its start; returns scale and shape."""
    n = len(excess)
    mean = float(excess.mean())
    weighted = float(((n - np.arange(1, n + 1)) / max(n - 1, 1) * excess).mean())
    if mean <= 0 or mean - 2 * weighted <= 1e-12 * mean:
        return max(mean, 1e-9), 0.0
    shape = float(np.clip(2 - mean / (mean - 2 * weighted), 0.0, HEAVIEST))
    return max(mean * (1 - shape), 1e-9), shape
