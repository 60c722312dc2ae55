"""What is heard of an audience: applause, voices, and the hall, as sounds that are made."""

from collections.abc import Sequence

import numpy as np

from training.models.audio.track_features.clips import Clip
from transforms.pure.audio.stft import RATE


def applause(count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) samples of applause: claps by a Poisson process, each a short burst of noise around 1 to 3 kHz.

    After L. Peltola et al., Synthesis of hand clapping sounds (IEEE Transactions on Audio, Speech and Language
    Processing, 2007), much simplified.
    """
    from scipy.signal import butter, fftconvolve, sosfilt

    claps = rng.poisson(rng.uniform(30, 500) / RATE, count) * rng.uniform(0.2, 1, count)
    length = int(0.03 * RATE)
    burst = rng.normal(size=length) * np.exp(-np.arange(length) / (rng.uniform(0.002, 0.006) * RATE))
    noise = rng.normal(size=count) * np.sqrt(np.maximum(fftconvolve(claps, np.abs(burst))[:count], 0))
    low, high = rng.uniform(500, 1_100), rng.uniform(2_500, 6_000)
    return np.asarray(sosfilt(butter(2, [low, high], "bandpass", fs=RATE, output="sos"), noise))


def babble(count: int, voices: Sequence[Clip], rng: np.random.Generator) -> np.ndarray:
    """(count,) samples of 8 to 20 voices at once."""
    total = np.zeros(count)
    for _ in range(int(rng.integers(8, 21))):
        samples = voices[int(rng.integers(len(voices)))].samples
        start = int(rng.integers(max(len(samples), 1)))
        total += np.resize(np.roll(samples, -start), count) * rng.uniform(0.3, 1)
    return total


def hall(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Samples in a hall of 1.2 to 3.5 seconds of reverberation."""
    from scipy.signal import oaconvolve

    length = int(rng.uniform(1.2, 3.5) * RATE)
    echo = rng.normal(size=length) * np.exp(-6.9 * np.arange(length) / length)
    wet = oaconvolve(samples, echo / np.linalg.norm(echo))[: len(samples)]
    return np.asarray(samples + rng.uniform(0.2, 0.8) * wet)


def before_an_audience(clip: Clip, voices: Sequence[Clip], rng: np.random.Generator) -> Clip:
    """A clip in a hall, with applause and voices 0 to 20 dB below it that are louder at its beginning or end."""
    count = len(clip.samples)
    music = hall(clip.samples.astype(np.float64), rng)
    crowd = applause(count, rng)
    crowd /= max(float(crowd.std()), 1e-9)
    voices_sound = babble(count, voices, rng)
    crowd += rng.uniform(0.2, 1.2) * voices_sound / max(float(voices_sound.std()), 1e-9)
    swell = np.ones(count)
    part = int(rng.uniform(0.1, 0.4) * count)
    (swell[:part] if rng.random() < 0.5 else swell[count - part :])[:] *= rng.uniform(1, 6)
    level = 10 ** (-rng.uniform(0, 20) / 20) * music.std()
    mixed = music + level * hall(crowd * swell, rng)
    return Clip((mixed / max(float(np.abs(mixed).max()), 1e-9) * 0.9).astype(np.float32), clip.source)
