"""The loudness meter: from samples to integrated, momentary and short-term loudness, loudness range and true peak."""

import math
from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.loudness import k_weighting, layouts
from transforms.pure.audio.loudness.block_filter import BlockFilter
from transforms.pure.audio.loudness.gating import ABSOLUTE_GATE, integrated, level
from transforms.pure.audio.loudness.layouts import Layout
from transforms.pure.audio.loudness.loudness_range import loudness_range
from transforms.pure.audio.loudness.true_peak import TruePeak

LOWEST_RATE = 8_000
"""Lowest sample rate for loudness; the standard's filters for frequencies above 1.7 kHz are unstable far below."""
_FINE = 100
"""Steps per second by which the windows of the largest momentary and short-term loudness are moved."""
_HOP = 10
"""Steps of 100 ms, by which all other windows are moved."""
_MOMENTARY, _SHORT_TERM = 40, 300
"""Steps of a window of 400 ms and of 3 seconds."""
_AT_ONCE = 1 << 15
"""Samples of each channel that are measured at once, so that they stay in the cache."""


@dataclass(frozen=True)
class Loudness:
    """The loudness of a sound; None for silence, for what is too short, and where the standard defines none.

    Attributes:
        integrated_lufs: loudness of the whole, gated (EBU R128); from 400 ms on.
        momentary_max_lufs: largest loudness of 400 ms.
        short_term_max_lufs: largest loudness of 3 seconds.
        range_lu: loudness range, LRA (EBU Tech 3342); from 3 seconds on.
        true_peak_dbtp: true peak in decibels relative to full scale; None if it was not measured.
    """

    integrated_lufs: float | None
    momentary_max_lufs: float | None
    short_term_max_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None


class LoudnessMeter:
    """Measures the loudness of a sound that is added block by block.

    Args:
        rate: samples per second; below ``LOWEST_RATE`` there is no loudness, but a true peak.
        channels: number of channels.
        layout: names of the channels; those of ``layouts.DEFAULT`` if None. Without any there is no loudness.
        true_peak: whether to measure the true peak.

    >>> meter = LoudnessMeter(48_000, 1)
    >>> meter.add(np.sin(2 * np.pi * 997 * np.arange(48_000) / 48_000)[:, None])
    >>> round(meter.result().integrated_lufs, 2)
    -3.01
    """

    def __init__(self, rate: int, channels: int, layout: Layout | None = None, *, true_peak: bool = False) -> None:
        layout = layout if layout and len(layout) == channels else layouts.DEFAULT.get(channels)
        self._rate, self._count = rate, 0
        self._weights = layouts.weights(layout) if layout and rate >= LOWEST_RATE else np.zeros(channels)
        self._is_measured = np.flatnonzero(self._weights)
        self._filter: BlockFilter | None = None
        self._true_peak = TruePeak(rate, channels) if true_peak else None
        self._step_rest = 0.0  # power of the step that has begun
        self._recent_steps = np.empty(0)
        self._hop_rest = np.empty(0)
        self._hops: list[np.ndarray] = []
        self._momentary_max = self._short_term_max = 0.0

    def add(self, block: np.ndarray) -> None:
        """Add the next (n, channels) samples, float64; full scale is 1."""
        for start in range(0, len(block), _AT_ONCE):
            channels = np.ascontiguousarray(block[start : start + _AT_ONCE].T, np.float64)
            if self._true_peak:
                self._true_peak.add(channels)
            if len(self._is_measured):
                self._add_steps(self._completed_steps(self._power(channels)))

    def result(self) -> Loudness:
        """Return the loudness of what was added so far."""
        hops = np.concatenate([np.empty(0), *self._hops])
        peak = self._true_peak.result() if self._true_peak else 0.0
        return Loudness(
            integrated(self._mean_powers(hops, _MOMENTARY)),
            self._audible_level(self._momentary_max / _MOMENTARY),
            self._audible_level(self._short_term_max / _SHORT_TERM),
            loudness_range(self._mean_powers(hops, _SHORT_TERM)),
            20 * math.log10(peak) if peak else None,
        )

    def _power(self, channels: np.ndarray) -> np.ndarray:
        """Return the weighted power of each sample, (n,)."""
        if self._filter is None:
            self._filter = BlockFilter(k_weighting.sections(self._rate), len(self._is_measured))
        is_all = len(self._is_measured) == len(channels)
        filtered = self._filter.add(channels if is_all else channels[self._is_measured])
        return np.asarray(self._weights[self._is_measured] @ np.square(filtered, out=filtered))

    def _completed_steps(self, power: np.ndarray) -> np.ndarray:
        """Return the sums of the steps of 10 ms that end within the next samples."""
        start, end = self._count, self._count + len(power)
        first, last = self._step_at(start), self._step_at(end)
        borders = np.arange(first, last + 1) * self._rate // _FINE
        sums = np.add.reduceat(power, np.maximum(borders[borders < end] - start, 0))
        sums[0] += self._step_rest
        self._count = end
        self._step_rest = float(sums[last - first :].sum())
        return np.asarray(sums[: last - first])

    def _step_at(self, sample: int) -> int:
        """The step that a sample is in; steps begin at a whole sample."""
        return -(-(sample + 1) * _FINE // self._rate) - 1

    def _add_steps(self, steps: np.ndarray) -> None:
        recent = np.concatenate([self._recent_steps, steps])
        for name, width in (("_momentary_max", _MOMENTARY), ("_short_term_max", _SHORT_TERM)):
            sums = _window_sums(recent[max(len(recent) - len(steps) - width + 1, 0) :], width)
            setattr(self, name, max(getattr(self, name), sums.max(initial=0.0)))
        self._recent_steps = recent[max(len(recent) - _SHORT_TERM + 1, 0) :].copy()
        started = np.concatenate([self._hop_rest, steps])
        whole = len(started) // _HOP * _HOP
        if whole:
            self._hops.append(started[:whole].reshape(-1, _HOP).sum(axis=1))
        self._hop_rest = started[whole:].copy()

    def _mean_powers(self, hops: np.ndarray, steps: int) -> np.ndarray:
        """Mean powers of windows of so many steps, each 100 ms after the one before."""
        return _window_sums(hops, steps // _HOP) / (steps / _FINE * self._rate)

    def _audible_level(self, step: float) -> float | None:
        loudness = float(level(step * _FINE / self._rate))
        return loudness if loudness >= ABSOLUTE_GATE else None


def _window_sums(values: np.ndarray, width: int) -> np.ndarray:
    """Sums of each ``width`` consecutive values; none if there are fewer."""
    if len(values) < width:
        return np.empty(0)
    return np.lib.stride_tricks.sliding_window_view(values, width).sum(axis=1)
