"""Pink noise, whose power falls by 3 dB an octave, by its distance below the sound: tape hiss, rain, a street."""

import numpy as np

from training.robustness.attack import Attack, by_change


def add_noise(samples: np.ndarray, snr: float, rng: np.random.Generator) -> np.ndarray:
    """Adds pink noise to samples (n,) at a signal-to-noise ratio in dB."""
    if not len(samples):
        return samples
    spectrum = np.fft.rfft(rng.normal(size=len(samples)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), len(samples))
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    noise *= np.sqrt(power * 10 ** (-snr / 10) / max(float(np.mean(noise**2)), 1e-30))
    return np.asarray(samples + noise, np.float32)


ATTACK = Attack(
    name="pink_noise",
    kinds=("sounds",),
    about="Pink noise.",
    unit="dB of the sound above the noise",
    strengths=(40, 30, 20, 10),
    measure=by_change(add_noise),
    most=60,
)
