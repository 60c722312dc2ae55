"""How far two samples of one feature lie apart."""

import numpy as np

BINS = 10
SMALLEST = 1e-4
"""Share that stands for an empty bin."""


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
