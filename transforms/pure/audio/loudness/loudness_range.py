"""Loudness range (LRA): how far loud and quiet passages of a programme are apart (EBU Tech 3342)."""

import numpy as np

from transforms.pure.audio.loudness.gating import above_gates, level

_RELATIVE_GATE = -20.0
_LOW, _HIGH = 0.10, 0.95


def loudness_range(powers: np.ndarray) -> float | None:
    """Return the range in LU between the 10th and the 95th percentile; None if all windows are silent.

    Args:
        powers: (windows,) weighted mean powers of windows of 3 seconds, every 100 ms.

    >>> round(loudness_range(np.array([0.01] * 100 + [0.1] * 100)), 2)
    10.0
    """
    passing = np.sort(above_gates(powers, _RELATIVE_GATE))
    if not len(passing):
        return None
    low, high = (level(passing[round((len(passing) - 1) * share)]) for share in (_LOW, _HIGH))
    return float(high - low)
