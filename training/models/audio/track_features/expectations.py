"""Fits what Spotify says on average of tracks of a kind, by loudness, tempo, mode and meter."""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.vocabulary.inputs import CUES

RIDGE = 5.0
_SHARED_RIDGE = 0.2
"""Ridge of what all kinds share, relative to that of what a kind has of its own."""


@dataclass(frozen=True)
class Expectation:
    """A value's mean for each of k kinds.

    Attributes:
        coefficients: (k, 1 + ``CUES``) offset and slopes.
        spread: (k,) standard deviation of the values around that mean.
    """

    coefficients: np.ndarray
    spread: np.ndarray

    def __call__(self, kinds: np.ndarray, cues: np.ndarray) -> np.ndarray:
        """(n,) means of n tracks, (n, k) shares of kinds and (n, ``CUES``) cues."""
        rows = np.column_stack([np.ones(len(cues)), cues])
        return np.asarray(((rows @ self.coefficients.T) * kinds).sum(axis=1))


def fit_expectation(kinds: np.ndarray, cues: np.ndarray, values: np.ndarray) -> Expectation:
    """Fit ridge regression with slopes that all kinds share, and deviations of each kind.

    Args:
        kinds: (n, k) shares of kinds, of sum 1.
        cues: (n, ``CUES``).
        values: (n,).
    """
    count = kinds.shape[1]
    middle = cues.mean(axis=0)
    rows = np.column_stack([np.ones(len(cues)), cues - middle])
    own = (kinds[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
    design = np.column_stack([rows, own])
    ridge = np.full(design.shape[1], RIDGE)
    ridge[: 1 + CUES] *= _SHARED_RIDGE
    ridge[0] = 0.0
    slopes = np.linalg.solve(design.T @ design + np.diag(ridge), design.T @ values)
    coefficients = slopes[: 1 + CUES] + slopes[1 + CUES :].reshape(count, -1)
    coefficients[:, 0] -= coefficients[:, 1:] @ middle
    errors = (values - Expectation(coefficients, np.zeros(count))(kinds, cues)) ** 2
    return Expectation(coefficients, np.sqrt((kinds * errors[:, None]).sum(axis=0) / np.maximum(kinds.sum(axis=0), 1)))
