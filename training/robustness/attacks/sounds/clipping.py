"""Clipping: the sound is driven above full scale, and cut off there."""

import numpy as np

from training.robustness.attack import Attack, by_change


def overdrive(samples: np.ndarray, decibels: float, rng: np.random.Generator) -> np.ndarray:
    """Cuts samples (n,) off at so many decibels below their peak; the level of the peak stays."""
    peak = float(np.abs(samples).max(initial=0.0))
    limit = peak * 10 ** (-decibels / 20)
    return np.asarray(np.clip(samples, -limit, limit) * (peak / limit if limit > 0 else 1.0), np.float32)


ATTACK = Attack(
    name="clipping",
    kinds=("sounds",),
    about="Cut off below the peak.",
    unit="dB below the peak",
    strengths=(3, 6, 12, 24),
    measure=by_change(overdrive),
    most=60,
)
