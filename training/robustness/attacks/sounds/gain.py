"""A quieter sound."""

import numpy as np

from training.robustness.attack import Attack, by_change


def turn_down(samples: np.ndarray, decibels: float, rng: np.random.Generator) -> np.ndarray:
    """Lowers samples (n,) by decibels, rounded to 16 bits as a file has them."""
    quiet = samples * 10 ** (-decibels / 20)
    return np.asarray(np.round(quiet * 32_767) / 32_767, np.float32)


ATTACK = Attack(
    name="gain",
    kinds=("sounds",),
    about="Quieter, rounded to 16 bits.",
    unit="dB less",
    strengths=(6, 20, 40),
    measure=by_change(turn_down),
    most=60,
)
