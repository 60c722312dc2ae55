"""How far two samples of one feature or prediction lie apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

BINS = 10
SMALLEST = 1e-4
"""Share that stands for an empty bin."""
MOVED, DRIFTED = 0.1, 0.25
"""PSI, where it is more than chance makes of samples of such sizes."""
MISSING, NEW = 0.05, 0.01
"""Change of the share of missing values, and share of values never seen before, that are worth telling."""
MOST_KINDS = 20
"""Different values up to which numbers are compared as kinds, and the kinds of texts that are told apart."""
VERDICTS = ("stable", "moved", "drifted")


@dataclass(frozen=True)
class Drift:
    """One feature or prediction, before and after.

    Attributes:
        name: of it.
        before: values that were compared with.
        after: values that were looked at.
        psi: population stability index.
        chance: what the index would be on average if nothing had changed, for samples of these sizes.
        ks: Kolmogorov-Smirnov statistic; None for texts.
        wasserstein: mean distance that mass moved, in standard deviations of before; None for texts.
        missing_before: share without a value.
        missing_after: likewise.
        new: value never seen before → how often it came, the most frequent ones.
        verdict: one of ``VERDICTS``.
        reasons: of the verdict.
    """

    name: str
    before: int
    after: int
    psi: float
    chance: float
    ks: float | None
    wasserstein: float | None
    missing_before: float
    missing_after: float
    new: dict[str, int] = field(default_factory=dict)
    verdict: str = "stable"
    reasons: tuple[str, ...] = ()


def compare(name: str, before: Sequence[Any], after: Sequence[Any]) -> Drift:
    """Two samples of one thing: numbers and truths, or texts; None where missing.

    Missing values are compared by themselves, the index is that of the others; numbers of few kinds are compared as
    kinds. The index of two samples of one distribution is not 0: times nm / (n + m) it is chi-squared with one less
    than bins degrees of freedom (B. Yurdakul, Statistical Properties of Population Stability Index, 2018). What one
    sample in a thousand would have by chance does not count.
    """
    missing = [_missing(values) for values in (before, after)]
    was, now = ([value for value in values if not _is_missing(value)] for values in (before, after))
    kinds = set(was)
    is_text = any(isinstance(value, str) for value in (*was, *now))
    new: dict[str, int] = {}
    distance: tuple[float | None, float | None] = (None, None)
    if not is_text:
        numbers = [np.array(values, np.float64) for values in (was, now)]
        distance = ks(numbers[0], numbers[1]), wasserstein(numbers[0], numbers[1])
    if is_text or len(kinds) <= MOST_KINDS:
        index, bins = psi_of_texts(list(map(str, was)), list(map(str, now))), min(len(kinds), MOST_KINDS) + 1
    else:
        bins = min(BINS, max(min(len(was), len(now)) // 20, 2))  # 20 values in each, or the chi-squared is none
        index = psi(numbers[0], numbers[1], bins)
    if is_text:
        for value in now:
            if value not in kinds:
                new[str(value)] = new.get(str(value), 0) + 1
    chance = (bins - 1) * (1 / max(len(was), 1) + 1 / max(len(now), 1))
    beyond = _chi_squared(bins - 1) * chance / max(bins - 1, 1)
    if not was or not now:
        index = 0.0
    reasons = []
    if index > max(MOVED, beyond):
        reasons.append(f"PSI {index:.2f}, by chance {chance:.2f}")
    gap = missing[1] - missing[0]
    if abs(gap) > MISSING:
        reasons.append(f"missing {missing[0]:.1%} → {missing[1]:.1%}")
    share = sum(new.values()) / max(len(now), 1)
    if share > NEW:
        reasons.append(f"{share:.1%} never seen before")
    level = 2 if index > max(DRIFTED, beyond) or abs(gap) > 4 * MISSING else 1 if reasons else 0
    return Drift(
        name=name,
        before=len(before),
        after=len(after),
        psi=index,
        chance=chance,
        ks=distance[0],
        wasserstein=distance[1],
        missing_before=missing[0],
        missing_after=missing[1],
        new=dict(sorted(new.items(), key=lambda item: -item[1])[:5]),
        verdict=VERDICTS[level],
        reasons=tuple(reasons),
    )


def _chi_squared(degrees: int) -> float:
    """What one value in a thousand exceeds (E. B. Wilson and M. M. Hilferty, 1931)."""
    if degrees < 1:
        return 0.0
    return float(degrees * (1 - 2 / (9 * degrees) + 3.09 * np.sqrt(2 / (9 * degrees))) ** 3)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))


def _missing(values: Sequence[Any]) -> float:
    return sum(map(_is_missing, values)) / max(len(values), 1)


def wasserstein(expected: np.ndarray, found: np.ndarray) -> float:
    """Earth mover's distance of one dimension, in standard deviations of ``expected``, without missing values.

    The area between the two distribution functions; 0 where one of them has no values, and in their own unit where
    ``expected`` does not vary.
    """
    first, second = (np.sort(values[~np.isnan(values)]) for values in (expected, found))
    if not len(first) or not len(second):
        return 0.0
    points = np.sort(np.concatenate([first, second]))
    below = [np.searchsorted(values, points[:-1], side="right") / len(values) for values in (first, second)]
    area = float((np.abs(below[0] - below[1]) * np.diff(points)).sum())
    return area / (float(first.std()) or 1.0)


def psi(expected: np.ndarray, found: np.ndarray, bins: int = BINS) -> float:
    """Population stability index of numbers: over bins with equal shares of ``expected``, missing ones apart.

    Below 0.1 little has changed, above 0.25 much has (N. Siddiqi, Credit Risk Scorecards, 2006).

    Args:
        expected: (n,) float, NaN where missing.
        found: (m,) likewise.
        bins: how many.
    """
    present = expected[~np.isnan(expected)]
    edges = np.unique(np.quantile(present, np.arange(1, bins) / bins)) if len(present) else np.zeros(0)
    return _index(_shares(expected, edges), _shares(found, edges))


def psi_of_texts(expected: Sequence[str | None], found: Sequence[str | None], most: int = MOST_KINDS) -> float:
    """The same for texts: the most frequent ones of ``expected``, and all others together."""
    counts: dict[str | None, int] = {}
    for text in expected:
        counts[text] = counts.get(text, 0) + 1
    kinds = sorted(counts, key=lambda text: (-counts[text], str(text)))[:most]
    shares = [np.array([_share(texts, kind) for kind in kinds]) for texts in (expected, found)]
    return _index(*(np.append(share, 1 - share.sum()) for share in shares))


def ks(expected: np.ndarray, found: np.ndarray) -> float:
    """Kolmogorov-Smirnov statistic: the largest distance of the two distribution functions, without missing values.

    0 where one of them has no values.
    """
    first, second = (np.sort(values[~np.isnan(values)]) for values in (expected, found))
    if not len(first) or not len(second):
        return 0.0
    points = np.concatenate([first, second])
    below = [np.searchsorted(values, points, side="right") / len(values) for values in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    missing = np.isnan(values)
    counts = np.bincount(np.searchsorted(edges, values[~missing], side="left"), minlength=len(edges) + 1)
    return np.append(counts, missing.sum()) / max(len(values), 1)


def _share(texts: Sequence[str | None], kind: str | None) -> float:
    return texts.count(kind) / max(len(texts), 1)


def _index(expected: np.ndarray, found: np.ndarray) -> float:
    expected, found = np.maximum(expected, SMALLEST), np.maximum(found, SMALLEST)
    return float(((found - expected) * np.log(found / expected)).sum())
