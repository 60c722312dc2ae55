"""A lower sampling rate and back, as a telephone or an old recorder has it."""

import numpy as np

from training.robustness.attack import Attack, by_change
from transforms.pure.audio.stft import RATE


def through_rate(samples: np.ndarray, kilohertz: float, rng: np.random.Generator) -> np.ndarray:
    """Resamples samples (n,) to a rate in kHz and back; the length stays."""
    import soxr

    low = soxr.resample(samples, RATE, kilohertz * 1_000)
    back = np.asarray(soxr.resample(low, kilohertz * 1_000, RATE), np.float32)
    return np.pad(back, (0, max(len(samples) - len(back), 0)))[: len(samples)]


ATTACK = Attack(
    name="resampling",
    kinds=("sounds",),
    about="Resampled to a lower rate and back.",
    unit="kHz",
    strengths=(16, 11.025, 8, 4),
    measure=by_change(through_rate),
    most=60,
)
