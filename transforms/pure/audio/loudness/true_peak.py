"""True peak: the largest value between the samples, by oversampling (ITU-R BS.1770-4, annex 2)."""

from functools import cache

import numpy as np

_FACTORS = ((96_000, 4), (192_000, 2))
"""Sample rates, and the factor of oversampling below each; none from the last on."""
_REACH = 12
"""Samples on each side that an interpolated value is made of; the standard has 6."""
_STEP = 16
"""Consecutive places that are interpolated by one row of a product of matrices."""
_SPAN = 8 * _STEP
"""Consecutive places that are passed over together where no sample is large enough to matter."""
_MARGIN = 2 * _REACH - 1
"""Samples that the last place of a span needs after it."""
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
    1.01
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._kernel = _kernel(next((factor for below, factor in _FACTORS if rate < below), 1))
        self._rest = np.zeros((channels, _MARGIN), np.float32)
        self._peak = 0.0

    def add(self, block: np.ndarray) -> None:
        """Add the next (channels, n) samples; full scale is 1."""
        if not block.size:
            return
        self._peak = max(self._peak, float(block.max()), -float(block.min()))
        samples = np.concatenate([self._rest, block], axis=1, dtype=np.float32)
        spans = max(samples.shape[1] - _MARGIN, 0) // _SPAN
        if spans:
            self._peak = _largest(samples[:, : spans * _SPAN + _MARGIN], self._kernel, self._peak)
        self._rest = samples[:, spans * _SPAN :].copy()

    def result(self) -> float:
        """Return the true peak so far as an amplitude; after the last sample there is silence."""
        spans = -(-self._rest.shape[1] // _SPAN)
        silence = spans * _SPAN + _MARGIN - self._rest.shape[1]
        return _largest(np.pad(self._rest, ((0, 0), (0, silence))), self._kernel, self._peak)


def _largest(samples: np.ndarray, kernel: np.ndarray, peak: float) -> float:
    """The larger of a peak and of the magnitude of all interpolated values of (channels, spans + ``_MARGIN``) samples.

    A value between samples is at most the largest sample near it times the sum of the magnitudes of the weights, so
    that spans far below the peak are not interpolated: of music, all but a few hundredths.
    """
    if not kernel.size:
        return peak
    channels, length = samples.shape
    spans, width = (length - _MARGIN) // _SPAN, len(kernel)
    magnitude = np.abs(samples)
    within = magnitude[:, : spans * _SPAN].reshape(channels, spans, _SPAN).max(axis=2)
    largest = np.column_stack([within, magnitude[:, spans * _SPAN :].max(axis=1)])
    limit = float(np.abs(kernel).sum(axis=0).max()) * 1.001  # more than rounding may add
    may_exceed = np.maximum(largest[:, :-1], largest[:, 1:]) > peak / limit
    rows = np.lib.stride_tricks.sliding_window_view(samples, width, axis=1)[:, ::_STEP]
    values = rows.reshape(channels, spans, _SPAN // _STEP, width)[may_exceed].reshape(-1, width) @ kernel
    return max(peak, float(values.max(initial=0.0)), -float(values.min(initial=0.0)))


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
