"""Mel bands and their cepstral coefficients.

The scale is Slaney's (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above; triangles of unit area. The
coefficients are those of the orthonormal DCT-II of decibels (Davis and Mermelstein 1980).
"""

from functools import cache

import numpy as np

from transforms.pure.audio.stft import RATE, frequencies

BANDS, COEFFICIENTS = 128, 20
FLOOR = 1e-10
"""Smallest power: -100 dB."""
_LINEAR, _BREAK = 200.0 / 3, 1_000.0
_STEP = np.log(6.4) / 27.0
"""Difference of the logarithm of frequencies above the break per mel."""


def to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """Convert frequencies in Hz to mels."""
    hertz = np.asarray(hertz, np.float64)
    above = _BREAK / _LINEAR + np.log(np.maximum(hertz, _BREAK) / _BREAK) / _STEP
    return np.where(hertz < _BREAK, hertz / _LINEAR, above)


def to_hertz(mel: np.ndarray) -> np.ndarray:
    """Convert mels to frequencies in Hz."""
    above = _BREAK * np.exp(_STEP * (mel - _BREAK / _LINEAR))
    return np.where(mel < _BREAK / _LINEAR, mel * _LINEAR, above)


@cache
def bank(bands: int = BANDS) -> np.ndarray:
    """(bins, bands) float32 weights that map power spectra to mel bands."""
    edges = to_hertz(np.linspace(0.0, to_mel(RATE / 2), bands + 2))
    rising = (frequencies()[:, None] - edges[None, :-2]) / np.diff(edges)[:-1]
    falling = (edges[None, 2:] - frequencies()[:, None]) / np.diff(edges)[1:]
    return (np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))).astype(np.float32)


def of_power(power: np.ndarray) -> np.ndarray:
    """(frames, ``BANDS``) mel power of power spectra (frames, bins): ``power @ bank()``, without its zeros."""
    return np.concatenate([power[:, bins] @ weights for bins, weights in _parts()], axis=1)


def centres(bands: int = BANDS) -> np.ndarray:
    """(bands,) centre frequencies of the mel bands in Hz."""
    return to_hertz(np.linspace(0.0, to_mel(RATE / 2), bands + 2))[1:-1]


def decibels(power: np.ndarray) -> np.ndarray:
    """Power in decibels, float32, at least -100."""
    return np.float32(10.0) * np.log10(np.maximum(power, np.float32(FLOOR)))


def cepstrum(bands_in_decibels: np.ndarray) -> np.ndarray:
    """(frames, ``COEFFICIENTS``) cepstral coefficients of mel bands (frames, bands)."""
    return bands_in_decibels @ _cosines(bands_in_decibels.shape[1])


def deltas(rows: np.ndarray, order: int = 1, width: int = 9) -> np.ndarray:
    """Slope (or curvature) in time of rows (frames, n): least squares over ``width`` frames (Savitzky and Golay 1964).

    With fewer frames than ``width`` the result is zeros.
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
        out[part] = (fit[order] * scale) @ ends  # the derivative of this order is constant for such a polynomial
    return out.astype(np.float32)


@cache
def _parts() -> tuple[tuple[slice, np.ndarray], ...]:
    """The bins that each quarter of the bands has weights of, and these."""
    parts = []
    for columns in np.split(bank(), 4, axis=1):
        inside = np.flatnonzero(columns.any(axis=1))
        bins = slice(int(inside[0]), int(inside[-1]) + 1)
        parts.append((bins, np.ascontiguousarray(columns[bins])))
    return tuple(parts)


@cache
def _cosines(bands: int) -> np.ndarray:
    angles = np.pi / bands * (np.arange(bands)[:, None] + 0.5) * np.arange(COEFFICIENTS)[None, :]
    table = np.cos(angles) * np.sqrt(2.0 / bands)
    table[:, 0] /= np.sqrt(2.0)
    return table.astype(np.float32)
