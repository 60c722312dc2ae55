"""Random clicks with an accent on each first beat, so that a bar is heard by nothing but accents."""

import numpy as np

from transforms.pure.audio.stft import RATE

METERS = (2, 3, 3, 3, 4, 4, 5, 6, 7)


def tick(rng: np.random.Generator, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw clicks.

    Args:
        rng: where all choices come from.
        seconds: length.

    Returns:
        (n,) float32 samples, mono at ``RATE``; (beats,) times in seconds; (beats,) whether each begins a bar.
    """
    meter, period = int(rng.choice(METERS)), 60 / float(np.exp(rng.uniform(np.log(40), np.log(260))))
    beats = np.arange(rng.uniform(0.1, 1.5), seconds - 0.3, period)
    is_downbeat = (np.arange(len(beats)) - int(rng.integers(meter))) % meter == 0
    samples = rng.normal(0, 10 ** rng.uniform(-5, -2), int(seconds * RATE))
    plain, accent = (_click(rng) for _ in range(2))
    accent = accent * rng.uniform(1.3, 3) if rng.random() < 0.6 else plain * rng.uniform(1.8, 4)
    divisions, quiet = int(rng.choice([1, 1, 1, 2, 3, 4])), _click(rng) * rng.uniform(0.05, 0.3)
    for beat, is_first in zip(beats, is_downbeat, strict=True):
        _add(samples, accent if is_first else plain, beat)
        for division in range(1, divisions):
            _add(samples, quiet, beat + division * period / divisions)
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32), beats, is_downbeat


def _click(rng: np.random.Generator) -> np.ndarray:
    """A short tone, a drum, or noise."""
    times = np.arange(int(0.12 * RATE)) / RATE
    kind, decay = rng.random(), np.exp(-times * rng.uniform(25, 120))
    if kind < 0.6:
        return np.sin(2 * np.pi * np.exp(rng.uniform(np.log(60), np.log(4_000))) * times) * decay
    return rng.normal(0, 0.4, len(times)) * decay


def _add(samples: np.ndarray, sound: np.ndarray, second: float) -> None:
    start = int(second * RATE)
    samples[start : start + len(sound)] += sound[: max(len(samples) - start, 0)]
