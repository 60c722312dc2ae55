"""Forecast of the next value: recursive least squares with forgetting, one small regression per series.

S. Haykin, Adaptive Filter Theory, chapter 10. Errors are clipped before the regression learns from them, so that
outliers have little effect (P. J. Huber, Robust estimation of a location parameter, 1964).
"""

import numpy as np

LARGEST = 1e4
"""Largest trace of the inverse correlation; without excitation it would grow without limit."""


def start(series: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Initial weights (n, d), on the newest value (the second input) alone, and inverse correlations (n, d, d)."""
    weights = np.zeros((series, inputs))
    weights[:, 1] = 0.5
    return weights, np.tile(np.eye(inputs) * 10, (series, 1, 1))


def predict(weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """(n,) expected values of inputs (n, d)."""
    return np.einsum("nd,nd->n", weights, inputs)


def learn(
    weights: np.ndarray, inverse: np.ndarray, inputs: np.ndarray, error: np.ndarray, fade: float
) -> tuple[np.ndarray, np.ndarray]:
    """Update weights and inverse correlations by the errors (n,) of the predictions from inputs (n, d)."""
    projected = np.einsum("nij,nj->ni", inverse, inputs)
    gain = projected / (fade + np.einsum("nd,nd->n", inputs, projected))[:, None]
    after = (inverse - gain[:, :, None] * projected[:, None, :]) / fade
    bounded = np.trace(after, axis1=1, axis2=2) <= LARGEST
    return weights + gain * error[:, None], np.where(bounded[:, None, None], after, inverse)
