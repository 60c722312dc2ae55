"""Drift measures between two samples of one feature or prediction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

BINS = 10
SMALLEST = 1e-4
"""Share that is assumed for an empty bin."""
MOVED, DRIFTED = 0.1, 0.25
"""PSI thresholds of the verdicts, where the PSI is above the random level for the sample sizes."""
MISSING, NEW = 0.05, 0.01
"""Thresholds of a reason: change of the share of missing values, and share of unseen values."""
MOST_KINDS = 20
"""Most distinct values for which numbers are compared as categories, and most categories of texts."""
VERDICTS = ("stable", "moved", "drifted")


@dataclass(frozen=True)
class Drift:
    """The drift of one feature or prediction.

    Attributes:
        name: name of the feature or prediction.
        before: size of the reference sample.
        after: size of the current sample.
        psi: population stability index.
        chance: expected index of two samples of these sizes from the same distribution.
        ks: Kolmogorov-Smirnov statistic; None for texts.
        wasserstein: earth mover's distance, in standard deviations of the reference sample; None for texts.
        missing_before: share of missing values in the reference sample.
        missing_after: share of missing values in the current sample.
        new: unseen value → its count in the current sample, for the most frequent ones.
        verdict: one of ``VERDICTS``.
        reasons: reasons of the verdict.
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
    """Compare two samples of numbers and booleans, or of texts; missing values are None or NaN.

    Missing values are compared as a share; the index is that of the other values. Numbers with few distinct values are
    compared as categories. The index of two samples of one distribution is not 0: times nm / (n + m) it is chi-squared
    with one less than bins degrees of freedom (B. Yurdakul, Statistical Properties of Population Stability Index,
    2018). An index that one sample in a thousand would have by chance is not reported.
    """
    missing_shares = [_missing_share(values) for values in (before, after)]
    reference, current = ([value for value in values if not _is_missing(value)] for values in (before, after))
    categories = set(reference)
    is_text = any(isinstance(value, str) for value in (*reference, *current))
    unseen: dict[str, int] = {}
    distance: tuple[float | None, float | None] = (None, None)
    if not is_text:
        numbers = [np.array(values, np.float64) for values in (reference, current)]
        distance = ks(numbers[0], numbers[1]), wasserstein(numbers[0], numbers[1])
    if is_text or len(categories) <= MOST_KINDS:
        index = psi_of_texts(list(map(str, reference)), list(map(str, current)))
        bins = min(len(categories), MOST_KINDS) + 1
    else:
        # at least 20 values per bin, for the chi-squared approximation
        bins = min(BINS, max(min(len(reference), len(current)) // 20, 2))
        index = psi(numbers[0], numbers[1], bins)
    if is_text:
        for value in current:
            if value not in categories:
                unseen[str(value)] = unseen.get(str(value), 0) + 1
    chance = (bins - 1) * (1 / max(len(reference), 1) + 1 / max(len(current), 1))
    chance_limit = _chi_squared(bins - 1) * chance / max(bins - 1, 1)
    if not reference or not current:
        index = 0.0
    reasons = []
    if index > max(MOVED, chance_limit):
        reasons.append(f"PSI {index:.2f}, by chance {chance:.2f}")
    missing_change = missing_shares[1] - missing_shares[0]
    if abs(missing_change) > MISSING:
        reasons.append(f"missing {missing_shares[0]:.1%} → {missing_shares[1]:.1%}")
    unseen_share = sum(unseen.values()) / max(len(current), 1)
    if unseen_share > NEW:
        reasons.append(f"{unseen_share:.1%} never seen before")
    level = 2 if index > max(DRIFTED, chance_limit) or abs(missing_change) > 4 * MISSING else 1 if reasons else 0
    return Drift(
        name=name,
        before=len(before),
        after=len(after),
        psi=index,
        chance=chance,
        ks=distance[0],
        wasserstein=distance[1],
        missing_before=missing_shares[0],
        missing_after=missing_shares[1],
        new=dict(sorted(unseen.items(), key=lambda item: -item[1])[:5]),
        verdict=VERDICTS[level],
        reasons=tuple(reasons),
    )


def _chi_squared(degrees: int) -> float:
    """The 0.999 quantile of chi-squared (approximation of E. B. Wilson and M. M. Hilferty, 1931)."""
    if degrees < 1:
        return 0.0
    return float(degrees * (1 - 2 / (9 * degrees) + 3.09 * np.sqrt(2 / (9 * degrees))) ** 3)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and bool(np.isnan(value)))


def _missing_share(values: Sequence[Any]) -> float:
    return sum(map(_is_missing, values)) / max(len(values), 1)


def wasserstein(expected: np.ndarray, found: np.ndarray) -> float:
    """Earth mover's distance of one dimension, in standard deviations of ``expected``, without missing values.

    This is the area between the two distribution functions. It is 0 if one sample has no values, and in the unit of
    the values if ``expected`` does not vary.
    """
    first, second = (np.sort(values[~np.isnan(values)]) for values in (expected, found))
    if not len(first) or not len(second):
        return 0.0
    points = np.sort(np.concatenate([first, second]))
    below = [np.searchsorted(values, points[:-1], side="right") / len(values) for values in (first, second)]
    area = float((np.abs(below[0] - below[1]) * np.diff(points)).sum())
    return area / (float(first.std()) or 1.0)


def psi(expected: np.ndarray, found: np.ndarray, bins: int = BINS) -> float:
    """Population stability index of numbers, over bins with equal shares of ``expected`` and one for missing values.

    Below 0.1 little has changed, above 0.25 much has (N. Siddiqi, Credit Risk Scorecards, 2006).

    Args:
        expected: (n,) float, NaN where missing.
        found: (m,) float, NaN where missing.
        bins: number of bins.
    """
    present = expected[~np.isnan(expected)]
    edges = np.unique(np.quantile(present, np.arange(1, bins) / bins)) if len(present) else np.zeros(0)
    return _index(_shares(expected, edges), _shares(found, edges))


def psi_of_texts(expected: Sequence[str | None], found: Sequence[str | None], most: int = MOST_KINDS) -> float:
    """Population stability index of texts, over the most frequent ones of ``expected`` and all others together."""
    counts: dict[str | None, int] = {}
    for text in expected:
        counts[text] = counts.get(text, 0) + 1
    categories = sorted(counts, key=lambda text: (-counts[text], str(text)))[:most]
    shares = [np.array([_share(texts, kind) for kind in categories]) for texts in (expected, found)]
    return _index(*(np.append(share, 1 - share.sum()) for share in shares))


def ks(expected: np.ndarray, found: np.ndarray) -> float:
    """Kolmogorov-Smirnov statistic: the largest distance of the two distribution functions, without missing values.

    It is 0 if one sample has no values.
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
