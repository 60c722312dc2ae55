"""Probabilities of classes: a linear model with a softmax, whose inputs are standardized and bounded."""

import numpy as np

from transforms.pure.audio.vocabulary.weights import Weights

BOUND = 4.0
"""Greatest distance of an input from its mean, in standard deviations: sounds unlike all others get no certainty."""


def standardized(vector: np.ndarray, name: str, weights: Weights) -> np.ndarray:
    """(..., inputs) in standard deviations from the mean of the sounds that ``name`` was learned from, bounded."""
    return np.clip((vector - weights[f"{name}_mean"]) / weights[f"{name}_scale"], -BOUND, BOUND)


def probabilities(vector: np.ndarray, name: str, weights: Weights) -> np.ndarray:
    """(..., classes) probabilities.

    Args:
        vector: (..., inputs).
        name: prefix of the arrays ``_mean``, ``_scale`` (inputs,), ``_slopes`` (inputs, classes), ``_offsets``.
        weights: all arrays.
    """
    odds = standardized(vector, name, weights) @ weights[f"{name}_slopes"] + weights[f"{name}_offsets"]
    odds = np.exp(odds - odds.max(axis=-1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True))


def strangeness(vector: np.ndarray, name: str, weights: Weights) -> float:
    """How far a sound is from those that ``name`` was learned from; 1 for the 98th of 100 of them.

    The distance of Mahalanobis, by a covariance that is shrunk to its diagonal.

    Args:
        vector: (inputs,).
        name: prefix of the arrays ``_mean``, ``_scale`` (inputs,), ``_whitening`` (inputs, inputs), ``_farthest`` (1,).
        weights: all arrays.
    """
    distance = np.linalg.norm(
        (vector - weights[f"{name}_mean"]) / weights[f"{name}_scale"] @ weights[f"{name}_whitening"]
    )
    return float(distance / weights[f"{name}_farthest"][0])
