"""Mel bands and their cepstral coefficients.

The scale is Slaney's (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above; triangles of unit area. The
coefficients are those of the orthonormal DCT-II of decibels (Davis and Mermelstein 1980).
"""

from functools import cache

import numpy as np

from transforms.pure.audio.stft import RATE, frequencies

BANDS, COEFFICIENTS = 128, 20
FLOOR = 1e-10
"""Power that counts as none: -100 dB."""
_LINEAR, _BREAK = 200.0 / 3, 1_000.0
_STEP = np.log(6.4) / 27.0
"""Of the logarithm of a frequency above the break, for one mel."""


def to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """Mels of frequencies."""
    hertz = np.asarray(hertz, np.float64)
    above = _BREAK / _LINEAR + np.log(np.maximum(hertz, _BREAK) / _BREAK) / _STEP
    return np.where(hertz < _BREAK, hertz / _LINEAR, above)


def to_hertz(mel: np.ndarray) -> np.ndarray:
    """Back from ``to_mel``."""
    above = _BREAK * np.exp(_STEP * (mel - _BREAK / _LINEAR))
    return np.where(mel < _BREAK / _LINEAR, mel * _LINEAR, above)


@cache
def bank(bands: int = BANDS) -> np.ndarray:
    """(bins, bands) float32 weights of power spectra."""
    edges = to_hertz(np.linspace(0.0, to_mel(RATE / 2), bands + 2))
    rising = (frequencies()[:, None] - edges[None, :-2]) / np.diff(edges)[:-1]
    falling = (edges[None, 2:] - frequencies()[:, None]) / np.diff(edges)[1:]
    return (np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))).astype(np.float32)


def centres(bands: int = BANDS) -> np.ndarray:
    """(bands,) Hz."""
    return to_hertz(np.linspace(0.0, to_mel(RATE / 2), bands + 2))[1:-1]


def decibels(power: np.ndarray) -> np.ndarray:
    """10 times the base-10 logarithm, float32, -100 at the least."""
    return np.float32(10.0) * np.log10(np.maximum(power, np.float32(FLOOR)))


def cepstrum(bands_in_decibels: np.ndarray) -> np.ndarray:
    """(frames, ``COEFFICIENTS``) of (frames, bands)."""
    return bands_in_decibels @ _cosines(bands_in_decibels.shape[1])


def deltas(rows: np.ndarray, order: int = 1, width: int = 9) -> np.ndarray:
    """Slope (or curvature) in time of rows (frames, n): least squares over ``width`` frames (Savitzky and Golay 1964).

    Fewer frames than ``width`` have none: zeros.
    """
    if len(rows) < width:
        return np.zeros_like(rows)
    half = width // 2
    steps = np.arange(-half, half + 1, dtype=np.float64)
    fit = np.linalg.pinv(np.vander(steps, order + 1, increasing=True))  # (order + 1, width)
    out = np.empty(rows.shape, np.float64)
    scale = float(np.prod(np.arange(1, order + 1)))
    inner = len(rows) - width + 1
    out[half:-half] = sum(weight * rows[step : step + inner] for step, weight in enumerate(fit[order] * scale))
    for part, ends in ((slice(None, half), rows[:width]), (slice(-half, None), rows[-width:])):
        out[part] = (fit[order] * scale) @ ends  # a polynomial of that order has one such derivative throughout
    return out.astype(np.float32)


@cache
def _cosines(bands: int) -> np.ndarray:
    angles = np.pi / bands * (np.arange(bands)[:, None] + 0.5) * np.arange(COEFFICIENTS)[None, :]
    table = np.cos(angles) * np.sqrt(2.0 / bands)
    table[:, 0] /= np.sqrt(2.0)
    return table.astype(np.float32)
