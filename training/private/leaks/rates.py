"""Rates of an attack that decides yes or no, with exact intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, rankdata

from feature_repo.errors import InputError

FALSE_POSITIVES = (0.001, 0.01)
"""Rates of false positives at which an attack is judged: an attacker is sure of few people, or of none."""
FEWEST_FALSE = 5
"""False positives that the outsiders must allow for; fewer say nothing of a threshold."""


@dataclass(frozen=True)
class Proportion:
    """A share of trials with its exact interval.

    Attributes:
        mean: the share; NaN without trials.
        low: lower end of the interval.
        high: upper end of the interval.
        trials: number of trials.
    """

    mean: float
    low: float
    high: float
    trials: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} ({self.low:.4f} to {self.high:.4f})"


def proportion(successes: int, trials: int, confidence: float = 0.95) -> Proportion:
    """Computes a share and its two-sided interval (Clopper and Pearson, Biometrika 1934).

    Args:
        successes: number of successes.
        trials: number of independent trials.
        confidence: probability that the interval holds the true share, at least.

    Raises:
        InputError: there are more successes than trials, or negative ones.

    >>> print(proportion(0, 100))
    0.0000 (0.0000 to 0.0362)
    """
    if not 0 <= successes <= trials:
        raise InputError(
            expected=f"between 0 and {trials} successes of {trials} trials",
            found=str(successes),
            next_command="refrain model leaks --help",
        )
    if trials == 0:
        return Proportion(float("nan"), 0.0, 1.0, 0)
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, trials - successes)) if successes < trials else 1.0
    return Proportion(successes / trials, low, high, trials)


def auc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Chance that an insider has more evidence than an outsider, ties counted half; NaN without both.

    >>> auc(np.array([1.0, 3.0]), np.array([0.0, 2.0]))
    0.75
    """
    if not len(inside) or not len(outside):
        return float("nan")
    ranks = rankdata(np.concatenate([inside, outside]))
    return float((ranks[: len(inside)].sum() - len(inside) * (len(inside) + 1) / 2) / (len(inside) * len(outside)))


def auc_interval(area: float, insiders: int, outsiders: int) -> tuple[float, float]:
    """95 % interval of an area under the curve (J. A. Hanley and B. J. McNeil, Radiology 1982).

    >>> [round(end, 3) for end in auc_interval(0.5, 1_000, 1_000)]
    [0.475, 0.525]
    """
    if not insiders or not outsiders:
        return 0.0, 1.0
    above_both, below_both = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (insiders - 1) * (above_both - area**2) + (outsiders - 1) * (below_both - area**2)
    error = 1.96 * np.sqrt(max(area * (1 - area) + spread, 0.0) / (insiders * outsiders))
    return max(float(area - error), 0.0), min(float(area + error), 1.0)


@dataclass(frozen=True)
class Operation:
    """One point of the ROC curve.

    Attributes:
        limit: rate of false positives that is allowed.
        threshold: evidence above which a person is called an insider.
        false_positives: share of the outsiders above it.
        true_positives: share of the insiders above it.
    """

    limit: float
    threshold: float
    false_positives: Proportion
    true_positives: Proportion


@dataclass(frozen=True)
class Rates:
    """What an attack reaches.

    Attributes:
        auc: area under the ROC curve; one half is a guess.
        low: lower end of its 95 % interval.
        high: upper end of its interval.
        points: an operation for each limit; None where there are too few outsiders to tell.
    """

    auc: float
    low: float
    high: float
    points: tuple[Operation | None, ...]


def rates(inside: np.ndarray, outside: np.ndarray, limits: Sequence[float] = FALSE_POSITIVES) -> Rates:
    """Computes the rates of an attack from its evidence of people whose membership is known.

    Args:
        inside: (n,) evidence of people who were learned from, higher for surer.
        outside: (m,) evidence of people who were not.
        limits: rates of false positives. The threshold is the lowest at which no more outsiders are above it.

    Raises:
        InputError: evidence is not a number.

    >>> found = rates(np.arange(10_000) + 5_000.0, np.arange(10_000) + 0.0, [0.01])
    >>> round(found.auc, 3), found.points[0].true_positives.mean
    (0.875, 0.51)
    """
    if np.isnan(inside).any() or np.isnan(outside).any():
        raise InputError(
            expected="evidence that is a number for every person",
            found=f"{int(np.isnan(inside).sum() + np.isnan(outside).sum())} people without",
            next_command="refrain model leaks --help",
        )
    area = auc(inside, outside)
    ends = auc_interval(area, len(inside), len(outside))
    return Rates(area, *ends, tuple(_operation(inside, outside, limit) for limit in limits))


def _operation(inside: np.ndarray, outside: np.ndarray, limit: float) -> Operation | None:
    allowed = int(limit * len(outside) + 1e-9)
    if allowed < FEWEST_FALSE or not len(inside):
        return None
    threshold = float(np.partition(outside, len(outside) - 1 - allowed)[len(outside) - 1 - allowed])
    return Operation(
        limit,
        threshold,
        proportion(int((outside > threshold).sum()), len(outside)),
        proportion(int((inside > threshold).sum()), len(inside)),
    )
