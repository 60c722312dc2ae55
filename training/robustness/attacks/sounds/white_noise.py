"""White noise by its distance below the sound."""

import numpy as np

from training.robustness.attack import Attack, by_change


def add_noise(samples: np.ndarray, snr: float, rng: np.random.Generator) -> np.ndarray:
    """Adds white noise to samples (n,) at a signal-to-noise ratio in dB."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    noise = rng.normal(size=len(samples)) * np.sqrt(power * 10 ** (-snr / 10))
    return np.asarray(samples + noise, np.float32)


ATTACK = Attack(
    name="white_noise",
    kinds=("sounds",),
    about="White noise.",
    unit="dB of the sound above the noise",
    strengths=(40, 30, 20, 10),
    measure=by_change(add_noise),
    most=60,
)
