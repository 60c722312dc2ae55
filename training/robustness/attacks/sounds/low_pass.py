"""A low-pass filter, as a wall or a small loudspeaker: the frequencies above a limit fall by 24 dB an octave."""

import numpy as np

from training.robustness.attack import Attack, by_change
from transforms.pure.audio.stft import RATE


def muffle(samples: np.ndarray, kilohertz: float, rng: np.random.Generator) -> np.ndarray:
    """Filters samples (n,) by a Butterworth filter of fourth order with a limit in kHz."""
    from scipy.signal import butter, sosfilt

    if not len(samples):
        return samples
    edge = min(kilohertz * 1_000, 0.49 * RATE)
    return np.asarray(sosfilt(butter(4, edge, fs=RATE, output="sos"), samples), np.float32)


ATTACK = Attack(
    name="low_pass",
    kinds=("sounds",),
    about="Frequencies above a limit are taken away.",
    unit="kHz",
    strengths=(8, 4, 2, 1),
    measure=by_change(muffle),
    most=60,
)
