"""Mean and variance that forget, exponentially .

T. Finch, Incremental calculation of weighted mean and variance, 2009.
"""

import numpy as np


def update(
    mean: np.ndarray, variance: np.ndarray, weight: np.ndarray, values: np.ndarray, fade: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All three after one more value each; all (n,). ``fade`` is what is left of each earlier value's weight."""
    weight = weight * fade + 1
    share = 1 / weight
    away = values - mean
    return mean + share * away, (1 - share) * (variance + share * away * away), weight
