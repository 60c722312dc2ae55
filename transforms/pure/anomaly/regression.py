"""What is to be expected next: recursive least squares with forgetting, one small regression a series.

S. Haykin, Adaptive Filter Theory, chapter 10. What does not fit is clipped before it is learned from, so that an
outlier moves nothing (P. J. Huber, Robust estimation of a location parameter, 1964).
"""

import numpy as np

LARGEST = 1e4
"""Trace of the inverse correlation beyond which it is left as it is: without excitation it would grow for ever."""


def start(series: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (n, d), all on the newest value, which is the second input; inverse correlations (n, d, d)."""
    weights = np.zeros((series, inputs))
    weights[:, 1] = 0.5
    return weights, np.tile(np.eye(inputs) * 10, (series, 1, 1))


def predict(weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """(n,) expected values of inputs (n, d)."""
    return np.einsum("nd,nd->n", weights, inputs)


def learn(
    weights: np.ndarray, inverse: np.ndarray, inputs: np.ndarray, error: np.ndarray, fade: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and inverse correlations after errors (n,) of what was predicted from inputs (n, d)."""
    moved = np.einsum("nij,nj->ni", inverse, inputs)
    gain = moved / (fade + np.einsum("nd,nd->n", inputs, moved))[:, None]
    after = (inverse - gain[:, :, None] * moved[:, None, :]) / fade
    bounded = np.trace(after, axis1=1, axis2=2) <= LARGEST
    return weights + gain * error[:, None], np.where(bounded[:, None, None], after, inverse)
