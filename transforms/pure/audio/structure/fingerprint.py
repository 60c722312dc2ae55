"""Acoustic fingerprints that equal Chromaprint's (algorithm 2, that of AcoustID), so that databases of it can be asked.

L. Lalinský, "How does Chromaprint work?" (2011), after Y. Ke, D. Hoiem, R. Sukthankar, Computer vision for music
identification (CVPR 2005), and D. Jang et al., Pairwise boosted audio fingerprint (IEEE TIFS 2009). Pitch classes, 8
times a second, are smoothed in time and brought to length 1; they are an image in which 16 rectangles of light against
dark, each quantized to two bits, give a number of 32 bits at each place.

Chromaprint works at 11,025 samples per second and windows of 4,096; here windows of 8,192 samples at ``stft.RATE`` give
the same bins without another resampling.
"""

from functools import cache

import numpy as np

from transforms.pure.audio.stft import RATE

SECONDS = 120.0
"""Length of sound that a fingerprint is computed from, as in AcoustID."""
ITEM_SECONDS = 2_730 / RATE
"""Distance of the numbers of a fingerprint."""
WIDTH = 20
"""Number of windows that the first number of a fingerprint needs."""
_WINDOW, _HOP = 8_192, 2_730
_BATCH = 64
"""Number of windows that are transformed at once; always as many, so that results do not depend on block sizes."""
_LOWEST, _HIGHEST = 28.0, 3_520.0
_SMOOTHING = np.array([0.25, 0.75, 1.0, 0.75, 0.25])
_SILENCE = 0.01
"""Length of a vector of pitch classes below which it is silence."""
_CLASSIFIERS = (
    (0, 4, 3, 15, (1.98215, 2.35817, 2.63523)),
    (4, 4, 6, 15, (-1.03809, -0.651211, -0.282167)),
    (1, 0, 4, 16, (-0.298702, 0.119262, 0.558497)),
    (3, 8, 2, 12, (-0.105439, 0.0153946, 0.135898)),
    (3, 4, 4, 8, (-0.142891, 0.0258736, 0.200632)),
    (4, 0, 3, 5, (-0.826319, -0.590612, -0.368214)),
    (1, 2, 2, 9, (-0.557409, -0.233035, 0.0534525)),
    (2, 7, 3, 4, (-0.0646826, 0.00620476, 0.0784847)),
    (2, 6, 2, 16, (-0.192387, -0.029699, 0.215855)),
    (2, 1, 3, 2, (-0.0397818, -0.00568076, 0.0292026)),
    (5, 10, 1, 15, (-0.53823, -0.369934, -0.190235)),
    (3, 6, 2, 10, (-0.124877, 0.0296483, 0.139239)),
    (2, 1, 1, 14, (-0.101475, 0.0225617, 0.231971)),
    (3, 5, 6, 4, (-0.0799915, -0.00729616, 0.063262)),
    (1, 9, 2, 12, (-0.272556, 0.019424, 0.302559)),
    (3, 4, 2, 14, (-0.164292, -0.0321188, 0.0846339)),
)
"""Pattern, first pitch class, number of pitch classes, number of windows, and the three borders of a quantizer."""
_GRAY = np.array([0, 1, 3, 2], np.uint32)


class Fingerprinter:
    """The fingerprint of a sound that is added piece by piece, mono at ``stft.RATE``; only its beginning counts.

    Example:
        >>> fingerprinter = Fingerprinter()
        >>> fingerprinter.add(np.sin(np.arange(5 * RATE) / 10, dtype=np.float32))
        >>> fingerprinter.result().dtype, len(fingerprinter.result())
        (dtype('uint32'), 19)
    """

    def __init__(self) -> None:
        self._rest = np.empty(0, np.float32)
        self._missing = int(SECONDS * RATE)
        self._chroma: list[np.ndarray] = []

    def add(self, samples: np.ndarray) -> None:
        """Add the next (n,) samples, float32; those after the first ``SECONDS`` do nothing."""
        if not self._missing:
            return
        part = samples[: self._missing]
        self._missing -= len(part)
        self._rest = np.concatenate([self._rest, part])
        length = _WINDOW + (_BATCH - 1) * _HOP
        while len(self._rest) >= length:
            self._chroma.append(_pitch_classes(self._rest[:length]))
            self._rest = self._rest[_BATCH * _HOP :]

    def result(self) -> np.ndarray:
        """Return the fingerprint, (n,) uint32; empty for sounds of less than 2.7 seconds."""
        last = [_pitch_classes(self._rest)] if len(self._rest) >= _WINDOW else []
        return of_pitch_classes(np.concatenate([np.empty((0, 12)), *self._chroma, *last]))


def of_pitch_classes(energy: np.ndarray) -> np.ndarray:
    """Return the (n,) uint32 fingerprint of pitch classes.

    Args:
        energy: (windows, 12) energy of the pitch classes from A on, of every ``ITEM_SECONDS``.
    """
    count = len(energy) - WIDTH + 1
    if count < 1:
        return np.empty(0, np.uint32)
    smooth = sum(weight * energy[lag : len(energy) - 4 + lag] for lag, weight in enumerate(_SMOOTHING))
    length = np.linalg.norm(smooth, axis=1, keepdims=True)
    image = np.where(length < _SILENCE, 0.0, smooth / np.maximum(length, _SILENCE))
    integral = np.zeros((len(image) + 1, 13))
    integral[1:, 1:] = image.cumsum(axis=0).cumsum(axis=1)
    bits = np.zeros(count, np.uint32)
    for pattern, first, height, width, borders in _CLASSIFIERS:
        value = _contrast(integral, pattern, first, height, width)[:count]
        bits = (bits << np.uint32(2)) | _GRAY[np.searchsorted(borders, value, side="right")]
    return bits


def _pitch_classes(samples: np.ndarray) -> np.ndarray:
    """(windows, 12) energy of the pitch classes from A on, as of 4,096 samples whose full scale is 1."""
    from scipy import fft  # late: a server may do without the extra for sound

    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    low, high = round(_LOWEST * _WINDOW / RATE), round(_HIGHEST * _WINDOW / RATE)
    spectrum = fft.rfft(windows * _hamming(), axis=1, overwrite_x=True)[:, low:high]
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(power @ _bank(low, high), np.float64)


@cache
def _hamming() -> np.ndarray:
    """A Hamming window; halved, as there are two samples for each of Chromaprint's."""
    return (0.5 * np.hamming(_WINDOW)).astype(np.float32)


@cache
def _bank(low: int, high: int) -> np.ndarray:
    """(bins, 12) float32: the pitch class of each bin, A first."""
    octaves = np.log2(np.arange(low, high) * (RATE / _WINDOW) / (440 / 16))
    pitch_class = (12 * (octaves - np.floor(octaves))).astype(np.int64)
    return (pitch_class[:, None] == np.arange(12)).astype(np.float32)


def _contrast(integral: np.ndarray, pattern: int, first: int, height: int, width: int) -> np.ndarray:
    """Logarithm of the light part of a rectangle over its dark part, at each place of the image.

    Patterns: 0 all is light; 1 the upper half; 2 the later half; 3 two opposite quarters; 4 the middle third of the
    pitch classes; 5 the middle third in time.
    """
    half_height, half_width, third_height, third_width = height // 2, width // 2, height // 3, width // 3
    whole = _area(integral, first, height, 0, width, width)
    if pattern == 0:
        return np.log1p(whole)
    if pattern == 1:
        light = _area(integral, first + half_height, height - half_height, 0, width, width)
    elif pattern == 2:
        light = _area(integral, first, height, half_width, width - half_width, width)
    elif pattern == 3:
        upper = _area(integral, first + half_height, height - half_height, 0, half_width, width)
        light = upper + _area(integral, first, half_height, half_width, width - half_width, width)
    elif pattern == 4:
        light = _area(integral, first + third_height, third_height, 0, width, width)
    else:
        light = _area(integral, first, height, third_width, third_width, width)
    return np.log1p(light) - np.log1p(np.maximum(whole - light, 0.0))


def _area(integral: np.ndarray, row: int, height: int, column: int, length: int, width: int) -> np.ndarray:
    """Sum of a part of a rectangle ``width`` columns wide, at each of its places along time."""
    places = len(integral) - width
    before, after = integral[column : column + places], integral[column + length : column + length + places]
    return (after[:, row + height] - after[:, row]) - (before[:, row + height] - before[:, row])
