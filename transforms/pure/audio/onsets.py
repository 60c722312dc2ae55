"""Onset strength of low, middle and high bands, and the rate and regularity of onsets.

Spectral flux of decibel mel bands, relative to the strongest of three neighbouring bands some frames before, so that
vibrato is not an onset: Böck, Widmer, Maximum filter vibrato suppression for onset detection (SuperFlux, DAFx 2013).
"""

import itertools

import numpy as np

from transforms.pure.audio.mel import FLOOR, centres
from transforms.pure.audio.stft import HOP, RATE

LAG = 3
"""Distance of the two compared frames in frames: a third of a window."""
RANGE = 70.0
"""Dynamic range in decibels below the loudest level; quieter levels are raised to it."""
EDGES = (200.0, 2_000.0)
"""Borders of low, middle and high bands in Hz."""
FRAMES_A_SECOND = RATE / HOP
CONTEXT_SECONDS = 4.0
"""Length of the window around a frame in which its strength is standardized."""


def strength(mel_power: np.ndarray) -> np.ndarray:
    """(frames, 3) float32 mean rise of low, middle and high bands in decibels, at least 0.

    Args:
        mel_power: (frames, bands) mel power of every hop.
    """
    rise = rises(mel_power)
    bounds = [0, *np.searchsorted(centres(mel_power.shape[1]), EDGES).tolist(), mel_power.shape[1]]
    return np.column_stack([rise[:, first:last].mean(axis=1) for first, last in itertools.pairwise(bounds)])


def rises(power: np.ndarray) -> np.ndarray:
    """(frames, bands) float32 rise of each band in decibels over ``LAG`` frames, at least 0.

    Args:
        power: (frames, bands) power of neighbouring bands.
    """
    loudest = float(power.max(initial=0.0))
    floor = np.float32(max(loudest * 10 ** (-RANGE / 10), FLOOR))
    levels = np.float32(10) * np.log10(np.maximum(power, floor))
    rise = np.zeros_like(levels)
    if len(levels) > LAG:
        before = levels[:-LAG]
        neighbour_max = before.copy()
        np.maximum(neighbour_max[:, 1:], before[:, :-1], out=neighbour_max[:, 1:])
        np.maximum(neighbour_max[:, :-1], before[:, 1:], out=neighbour_max[:, :-1])
        np.maximum(levels[LAG:] - neighbour_max, 0.0, out=rise[LAG:])
    return rise


def standardized(rise: np.ndarray) -> np.ndarray:
    """(frames, n) rises, standardized by mean and standard deviation of ``CONTEXT_SECONDS`` around each frame."""
    half = int(CONTEXT_SECONDS * FRAMES_A_SECOND / 2)
    sums = np.concatenate([np.zeros((1, rise.shape[1])), np.cumsum(rise, axis=0, dtype=np.float64)])
    squares = np.concatenate([np.zeros((1, rise.shape[1])), np.cumsum(rise.astype(np.float64) ** 2, axis=0)])
    first = np.maximum(np.arange(len(rise)) - half, 0)
    last = np.minimum(np.arange(len(rise)) + half + 1, len(rise))
    count = (last - first)[:, None]
    mean = (sums[last] - sums[first]) / count
    spread = np.sqrt(np.maximum((squares[last] - squares[first]) / count - mean**2, 0.0))
    # a lower limit of the deviation, so that quiet passages have no onsets
    usual = spread.mean(axis=0) if len(spread) else np.zeros(rise.shape[1])
    return (rise - mean) / np.maximum(np.maximum(spread, 0.2 * usual), 0.05)


def rate(standard: np.ndarray) -> float:
    """Onsets per second: peaks of the mean strength above one standard deviation, at least 60 ms apart.

    Args:
        standard: (frames, n) strengths from ``standardized``.
    """
    distance = round(0.06 * FRAMES_A_SECOND)
    if len(standard) <= 2 * distance:
        return 0.0
    joint = standard.mean(axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(joint, distance, constant_values=-np.inf), 2 * distance + 1
    )
    is_peak = (joint >= windows.max(axis=1)) & (joint > 1.0)
    return float(is_peak.sum() / (len(standard) / FRAMES_A_SECOND))


def regularity(standard: np.ndarray) -> float:
    """The largest autocorrelation of the mean strength at lags of 0.28 to 1.2 seconds, 0 to 1."""
    first, last = round(0.28 * FRAMES_A_SECOND), round(1.2 * FRAMES_A_SECOND)
    if len(standard) <= 2 * last:
        return 0.0
    joint = standard.mean(axis=1)
    joint = joint - joint.mean()
    size = 1 << (2 * len(joint) - 1).bit_length()
    correlation = np.fft.irfft(np.abs(np.fft.rfft(joint, size)) ** 2)[: last + 1]
    return float(np.clip(correlation[first:].max() / max(float(correlation[0]), 1e-9), 0.0, 1.0))
