"""The recording of a song: distortion, reverberation, band limits of old tapes, noise and level."""

import numpy as np
from scipy import signal

from transforms.pure.audio.stft import RATE
from transforms.raw.simulate.sound.style import Style


def record(dry: np.ndarray, style: Style, arousal: float, rng: np.random.Generator) -> np.ndarray:
    """(n, 2) float32 recording of a dry performance (n, 2); calm songs are quieter."""
    sound = dry / max(float(np.abs(dry).max()), 1e-9)
    drive = 1 + (style.drive - 1) * rng.uniform(0.4, 1.2)
    sound = np.tanh(sound * drive) / np.tanh(drive)
    length = style.room * float(np.exp(rng.normal(0, 0.3)))
    tail = np.exp(-3 * np.arange(int(length * RATE)) / (length * RATE))
    echo = rng.normal(size=(len(tail), 2)) * tail[:, None]
    wet = signal.oaconvolve(sound, echo / np.sqrt((echo**2).sum(axis=0)), axes=0)[: len(sound)]
    sound = sound + wet * rng.uniform(0.08, 0.35)
    if rng.random() < 0.3:  # an old tape, or a small speaker
        edges = [rng.uniform(40, 160), rng.uniform(3_500, 8_000)]
        sound = signal.sosfilt(signal.butter(2, edges, "bandpass", fs=RATE, output="sos"), sound, axis=0)
    sound = sound + 10 ** (rng.uniform(-80, -45) / 20) * rng.normal(size=sound.shape)
    level = 10 ** (-(3 + 14 * (1 - arousal) * rng.uniform(0.2, 1.0)) / 20)
    return np.asarray(sound / np.abs(sound).max() * level, np.float32)
