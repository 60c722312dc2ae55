"""A weighted sum of several scores, with or without a ranker's, each standardised among the candidates."""

from collections.abc import Mapping, Sequence

import numpy as np

RANKER = "ranker"
"""Name of a ranker's scores among weights; the other names are columns of its inputs."""


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


def parts_of(scores: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Name → (n,) what each score contributes to ``blended``.

    >>> parts_of({"taste": np.array([1.0, 3.0])}, {"taste": 2.0})
    {'taste': array([-2.,  2.])}
    """
    return {name: weight * standardised(scores[name]) for name, weight in weights.items() if weight and name in scores}


def anchored_parts(
    scores: np.ndarray, inputs: np.ndarray, columns: Sequence[str], weights: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """Name → (n,) what the ranker and each input contribute to ``anchored``; see there."""
    used = {name: weight for name, weight in weights.items() if weight}
    return parts_of({name: scores if name == RANKER else inputs[:, columns.index(name)] for name in used}, used)


def anchored(
    scores: np.ndarray, inputs: np.ndarray, columns: Sequence[str], weights: Mapping[str, float]
) -> np.ndarray:
    """(n,) weighted sum of the scores of a ranker and of some of its inputs; the scores alone if they have all weight.

    Args:
        scores: (n,) scores of the ranker for the candidates of one request.
        inputs: (n, columns) inputs of the candidates, NaN for missing.
        columns: names of the inputs.
        weights: ``RANKER`` or name of an input → weight.
    """
    used = {name: weight for name, weight in weights.items() if weight}
    if tuple(used) == (RANKER,):
        return scores
    parts = {name: scores if name == RANKER else inputs[:, columns.index(name)] for name in used}
    return blended(parts, used)


def standardised(values: np.ndarray) -> np.ndarray:
    """Standardise values to mean 0 and deviation 1; zeros if all values are equal or missing."""
    mean, deviation, lowest = scale_of(values)
    if not deviation:
        return np.zeros(len(values))
    return (np.where(np.isfinite(values), values, lowest).astype(np.float64) - mean) / deviation


def scale_of(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, deviation and lowest of values, of which missing ones count as the lowest; deviation 0 if all are equal."""
    is_known = np.isfinite(values)
    if not is_known.any():
        return 0.0, 0.0, 0.0
    lowest = values[is_known].min()
    filled = np.where(is_known, values, lowest).astype(np.float64)
    deviation = float(filled.std())
    return float(filled.mean()), deviation if deviation > 1e-12 else 0.0, float(lowest)
