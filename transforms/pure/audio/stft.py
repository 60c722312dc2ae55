"""The short-time Fourier transform that all features of a sound are computed from.

Mono at ``RATE``; periodic Hann windows of ``WINDOW`` samples every ``HOP``, the first centred on the first sample, with
zeros beyond both ends. Spectral features use every ``STRIDE``-th frame, as is usual; onsets use all frames.
"""

from collections.abc import Iterator

import numpy as np

RATE = 22_050
WINDOW, HOP, STRIDE = 2_048, 256, 2
BINS = WINDOW // 2 + 1
CHUNK = 256
"""Number of frames that are transformed at once: a megabyte, which fits into the processor cache."""
_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)


def frequencies() -> np.ndarray:
    """(``BINS``,) frequencies of the bins in Hz."""
    return np.arange(BINS) * (RATE / WINDOW)


def frame_count(samples: int) -> int:
    """Number of frames of a number of samples."""
    return 1 + samples // HOP


def padded(samples: np.ndarray) -> np.ndarray:
    """A whole sound, padded with zeros at both ends."""
    return np.pad(samples, WINDOW // 2)


def power(around: np.ndarray, frames: int, *, every: int = 1) -> Iterator[np.ndarray]:
    """Yield power spectra in blocks (``CHUNK``, ``BINS``) of float32.

    Args:
        around: mono samples with ``WINDOW`` / 2 before the centre of the first frame, and enough after the last.
        frames: number of frames.
        every: hops between frames.
    """
    from scipy import fft  # late: a server may do without the extra for sound

    windows = np.lib.stride_tricks.sliding_window_view(around, WINDOW)[:: HOP * every][:frames]
    for first in range(0, len(windows), CHUNK):
        spectrum = fft.rfft(windows[first : first + CHUNK] * _HANN, axis=1, overwrite_x=True)
        yield spectrum.real**2 + spectrum.imag**2


def spectra(samples: np.ndarray) -> np.ndarray:
    """(frames, ``BINS``) power spectra of every ``STRIDE``-th frame of a whole sound, at once."""
    return np.concatenate(list(power(padded(samples), frame_count(len(samples)))))[::STRIDE]
