"""One score of several, where no ranker orders the candidates: each standardised among them, then weighted."""

from collections.abc import Mapping

import numpy as np


def blended(scores: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """(n,) weighted sum of standardised scores; one that is missing (NaN) counts as the least of its kind.

    Args:
        scores: name → (n,).
        weights: name → weight; scores without one are left out.
    """
    length = len(next(iter(scores.values())))
    total = np.zeros(length)
    for name, weight in weights.items():
        if weight and name in scores and length:
            total += weight * standardised(scores[name])
    return total


def standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1; zeros where all are alike or all are missing."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    filled = np.where(known, values, values[known].min()).astype(np.float64)
    deviation = filled.std()
    return (filled - filled.mean()) / deviation if deviation > 1e-12 else np.zeros(len(values))
