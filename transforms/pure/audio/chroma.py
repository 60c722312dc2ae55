"""Tuning, pitch classes (chroma), and tonal centroids (tonnetz).

Chroma: Ellis, Chroma feature analysis and synthesis (2007). Tonnetz: Harte, Sandler, Gasser, Detecting harmonic change
in musical audio (2006).
"""

from functools import lru_cache

import numpy as np

from transforms.pure.audio.stft import BINS, RATE, WINDOW, frequencies

CLASSES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_LOW, _HIGH = 150.0, 4_000.0
_PEAK = 0.1
"""Smallest magnitude of a partial, relative to the largest of its frame."""


def tuning(power: np.ndarray) -> float:
    """Estimate the tuning in semitones above A = 440 Hz, from -0.5 to 0.5.

    It is the most common deviation of the stronger partials; 0 if there are none.

    Args:
        power: (frames, bins) spectra.
    """
    low, high = int(np.ceil(_LOW * WINDOW / RATE)), int(_HIGH * WINDOW / RATE)
    part = np.sqrt(power[:, low - 1 : high + 2])
    left, middle, right = part[:, :-2], part[:, 1:-1], part[:, 2:]
    # one bin more on each side, so that the edge of the range is not a peak
    is_peak = (middle > left) & (middle >= right) & (middle > _PEAK * np.sqrt(power.max(axis=1, keepdims=True)))
    rows, columns = np.nonzero(is_peak)
    if not len(rows):
        return 0.0
    before, at, after = (side[rows, columns].astype(np.float64) for side in (left, middle, right))
    curve = before - 2 * at + after
    shift = np.where(curve < 0, 0.5 * (before - after) / np.where(curve < 0, curve, -1.0), 0.0)
    height = at - 0.25 * (before - after) * shift
    strong = height >= np.median(height)
    hertz = (columns[strong] + low + shift[strong]) * (RATE / WINDOW)
    deviation = (12 * np.log2(hertz / 440.0)) % 1.0
    counts = np.bincount((((deviation + 0.5) % 1.0) * 100).astype(np.int64) % 100, minlength=100)
    return float((int(counts.argmax()) - 50) / 100)


@lru_cache(maxsize=128)
def bank(tuned: float = 0.0, spread: float = 2.0) -> np.ndarray:
    """(bins, 12) float32 weights that map power spectra to pitch classes, from C on.

    Args:
        tuned: tuning in semitones, from ``tuning``.
        spread: width in octaves of the Gaussian weight of bins, around the fifth octave (near 500 Hz).
    """
    tones = np.empty(BINS)
    tones[1:] = 12 * np.log2(frequencies()[1:] / (440.0 * 2 ** (tuned / 12) / 16))
    tones[0] = tones[1] - 18
    width = np.concatenate([np.maximum(np.diff(tones), 1.0), [1.0]])
    distance = (tones[:, None] - np.arange(12)[None, :] + 126) % 12 - 6
    weights = np.exp(-0.5 * (2 * distance / width[:, None]) ** 2)
    weights /= np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)
    weights *= np.exp(-0.5 * ((tones[:, None] / 12 - 5.0) / spread) ** 2)
    return np.roll(weights, -3, axis=1).astype(np.float32)


def of_power(power: np.ndarray, tuned: float = 0.0) -> np.ndarray:
    """(frames, 12) energy of the pitch classes, relative to the strongest of a frame; zeros in silence."""
    energy = power @ bank(tuned)
    strongest = energy.max(axis=1, keepdims=True)
    return energy / np.where(strongest > np.finfo(np.float32).tiny, strongest, 1.0)


def tonnetz(chroma: np.ndarray) -> np.ndarray:
    """(frames, 6) centroids on the circles of fifths, minor thirds and major thirds, from chroma (frames, 12)."""
    total = np.abs(chroma).sum(axis=1, keepdims=True)
    return (chroma / np.where(total > 0, total, 1.0)) @ _CIRCLES


_STEPS = np.array([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3])
_RADII = np.array([1.0, 1.0, 1.0, 1.0, 0.5, 0.5])
_QUARTER = np.array([0.5, 0.0] * 3)
_CIRCLES = (_RADII * np.cos(np.pi * (_STEPS * np.arange(12)[:, None] - _QUARTER))).astype(np.float32)
