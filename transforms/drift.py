"""How far two samples of one feature or prediction lie apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

BINS = 10
SMALLEST = 1e-4
"""Share that stands for an empty bin."""
MOVED, DRIFTED = 0.1, 0.25
"""PSI, beyond what chance alone makes of samples of such sizes."""
MISSING, NEW = 0.05, 0.01
"""Change of the share of missing values, and share of values never seen before, that are worth telling."""
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

    The index of two samples of one distribution is not 0: with n and m values in b bins it is (b − 1)(1/n + 1/m) on
    average (B. Yurdakul, Statistical Properties of Population Stability Index, 2018). Only what lies beyond twice that
    counts.
    """
    some = [value for value in (*before, *after) if value is not None]
    is_text = any(isinstance(value, str) for value in some)
    missing = [_missing(values) for values in (before, after)]
    new: dict[str, int] = {}
    distance: tuple[float | None, float | None] = (None, None)
    if is_text:
        was, now = ([None if value is None else str(value) for value in values] for values in (before, after))
        known = set(was)
        index, bins = psi_of_texts(was, now), len(known) + 1
        for text in now:
            if text is not None and text not in known:
                new[text] = new.get(text, 0) + 1
    else:
        first, second = (np.array([np.nan if v is None else float(v) for v in values]) for values in (before, after))
        index, bins = psi(first, second), min(BINS, len(np.unique(first[~np.isnan(first)])) or 1) + 1
        distance = ks(first, second), wasserstein(first, second)
    chance = (min(bins, 21) - 1) * (1 / max(len(before), 1) + 1 / max(len(after), 1))
    reasons = []
    beyond = index - 2 * chance
    if beyond > MOVED:
        reasons.append(f"PSI {index:.2f}, by chance {chance:.2f}")
    gap = missing[1] - missing[0]
    if abs(gap) > MISSING:
        reasons.append(f"missing {missing[0]:.1%} → {missing[1]:.1%}")
    share = sum(new.values()) / max(len(after), 1)
    if share > NEW:
        reasons.append(f"{share:.1%} never seen before")
    level = 2 if beyond > DRIFTED or abs(gap) > 4 * MISSING else 1 if reasons else 0
    most = dict(sorted(new.items(), key=lambda item: -item[1])[:5])
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
        new=most,
        verdict=VERDICTS[level],
        reasons=tuple(reasons),
    )


def _missing(values: Sequence[Any]) -> float:
    gone = sum(value is None or (isinstance(value, float) and np.isnan(value)) for value in values)
    return gone / max(len(values), 1)


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


def psi(expected: np.ndarray, found: np.ndarray) -> float:
    """Population stability index of numbers: over ten bins with equal shares of ``expected``, missing ones apart.

    Below 0.1 little has changed, above 0.25 much has (N. Siddiqi, Credit Risk Scorecards, 2006).

    Args:
        expected: (n,) float, NaN where missing.
        found: (m,) likewise.
    """
    present = expected[~np.isnan(expected)]
    edges = np.unique(np.quantile(present, np.arange(1, BINS) / BINS)) if len(present) else np.zeros(0)
    return _index(_shares(expected, edges), _shares(found, edges))


def psi_of_texts(expected: list[str | None], found: list[str | None], most: int = 20) -> float:
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


def _share(texts: list[str | None], kind: str | None) -> float:
    return texts.count(kind) / max(len(texts), 1)


def _index(expected: np.ndarray, found: np.ndarray) -> float:
    expected, found = np.maximum(expected, SMALLEST), np.maximum(found, SMALLEST)
    return float(((found - expected) * np.log(found / expected)).sum())
