"""The combination of several scores without a ranker: a weighted sum of scores standardised among the candidates."""

from collections.abc import Mapping

import numpy as np


def blended(scores: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """(n,) weighted sum of standardised scores; a missing score (NaN) counts as the lowest of its kind.

    Args:
        scores: name → (n,) scores of the candidates.
        weights: name → weight; scores without a weight are ignored.
    """
    length = len(next(iter(scores.values())))
    total = np.zeros(length)
    for name, weight in weights.items():
        if weight and name in scores and length:
            total += weight * standardised(scores[name])
    return total


def standardised(values: np.ndarray) -> np.ndarray:
    """Standardise values to mean 0 and deviation 1; zeros if all values are equal or missing."""
    is_known = np.isfinite(values)
    if not is_known.any():
        return np.zeros(len(values))
    filled = np.where(is_known, values, values[is_known].min()).astype(np.float64)
    deviation = filled.std()
    return (filled - filled.mean()) / deviation if deviation > 1e-12 else np.zeros(len(values))
