"""True peak: the largest value between the samples, by oversampling (ITU-R BS.1770-4, annex 2)."""

from functools import cache

import numpy as np

_FACTORS = ((96_000, 4), (192_000, 2))
"""Sample rates, and the factor of oversampling below each; none from the last on."""
_REACH = 12
"""Samples on each side that an interpolated value is made of; the standard has 6."""
_STEP = 16
"""Consecutive places that are interpolated by one row of a product of matrices."""
_ROWS = 2_048
"""Rows at once, so that their values stay in the cache."""
_SHAPE = 6.0
"""Of the Kaiser window: less than 0.05 dB off up to 0.43 of the sample rate."""


class TruePeak:
    """Measures the true peak of a sound that is added block by block.

    Args:
        rate: samples per second.
        channels: number of channels.

    >>> meter = TruePeak(48_000, 1)
    >>> meter.add(np.sin(np.pi * (np.arange(4_800) / 2 + 0.25))[None])  # its largest sample is 0.71
    >>> round(meter.result(), 2)
    1.0
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._kernel = _kernel(next((factor for below, factor in _FACTORS if rate < below), 1))
        self._rest = np.zeros((channels, 2 * _REACH - 1), np.float32)
        self._peak = 0.0

    def add(self, block: np.ndarray) -> None:
        """Add the next (channels, n) samples; full scale is 1."""
        if not block.size:
            return
        self._peak = max(self._peak, float(block.max()), -float(block.min()))
        samples = np.concatenate([self._rest, block], axis=1, dtype=np.float32)
        self._peak = max(self._peak, _largest(samples, self._kernel))
        self._rest = samples[:, samples.shape[1] - 2 * _REACH + 1 :].copy()

    def result(self) -> float:
        """Return the true peak so far as an amplitude; after the last sample there is silence."""
        silence = np.zeros((len(self._rest), _REACH), np.float32)
        return max(self._peak, _largest(np.concatenate([self._rest, silence], axis=1), self._kernel))


def _largest(samples: np.ndarray, kernel: np.ndarray) -> float:
    """Largest magnitude of all interpolated values that have all of their samples."""
    count, phases = samples.shape[1] - 2 * _REACH + 1, kernel.shape[1] // _STEP
    if count < 1 or not phases:
        return 0.0
    rows, width = -(-count // _STEP), len(kernel)
    padded = np.pad(samples, ((0, 0), (0, (rows - 1) * _STEP + width - samples.shape[1])))
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)[:, ::_STEP]
    values = np.empty((min(rows, _ROWS), kernel.shape[1]), np.float32)
    largest = 0.0
    for channel in windows:
        for start in range(0, rows, _ROWS):
            part = np.ascontiguousarray(channel[start : start + _ROWS])
            out = np.matmul(part, kernel, out=values[: len(part)])
            if start + _ROWS >= rows:
                out[-1, ((count - 1) % _STEP + 1) * phases :] = 0  # beyond the last sample
            largest = max(largest, float(out.max()), -float(out.min()))
    return largest


@cache
def _kernel(factor: int) -> np.ndarray:
    """Return (_STEP + 2 * _REACH - 1, _STEP * (factor - 1)) weights: windows of samples → values between samples."""
    offsets = np.arange(-_REACH + 1, _REACH + 1)
    kernel = np.zeros((_STEP + 2 * _REACH - 1, _STEP * (factor - 1)), np.float32)
    for phase in range(1, factor):
        distance = offsets - phase / factor
        taps = np.sinc(distance) * np.i0(_SHAPE * np.sqrt(1 - (distance / _REACH) ** 2))
        for place in range(_STEP):
            kernel[place : place + 2 * _REACH, place * (factor - 1) + phase - 1] = taps / taps.sum()
    return kernel
