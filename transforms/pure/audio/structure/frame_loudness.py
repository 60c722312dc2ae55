"""Loudness in short blocks: exact in time by the samples, K-weighted by the spectra that are there anyway.

A filter in time would cost more than all of the rest. A block of 256 samples has its own power, and is weighted by the
gain that the filter of ITU-R BS.1770-4 has, on the average, for the spectrum around it.
"""

from functools import cache

import numpy as np

from transforms.pure.audio import stft
from transforms.pure.audio.loudness.gating import integrated, level
from transforms.pure.audio.loudness.k_weighting import sections
from transforms.pure.audio.structure.frames import BLOCK_SECONDS

QUIETEST = -60.0
"""Lowest loudness that is written, in decibels: silence."""
_GATE, _GATE_STEP = round(0.4 / BLOCK_SECONDS), round(0.1 / BLOCK_SECONDS)


@cache
def weights() -> np.ndarray:
    """(``stft.BINS``, 2) float32: 1, and the gain of the K-weighting in power, of each bin."""
    at = np.exp(-2j * np.pi * stft.frequencies() / stft.RATE)
    power = np.ones(stft.BINS)
    for section in sections(stft.RATE):
        power *= np.abs(np.polyval(section[2::-1], at) / np.polyval(section[:2:-1], at)) ** 2
    return np.column_stack([np.ones(stft.BINS), power]).astype(np.float32)


def block_power(samples: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return the (blocks,) float32 K-weighted mean power of blocks of ``stft.HOP`` samples.

    Args:
        samples: (n,) samples; the last block may lack some.
        totals: (blocks or more, 2) power of the frame around the beginning of each block, times ``weights``.
    """
    starts = np.arange(0, len(samples), stft.HOP)
    if not len(starts):
        return np.empty(0, np.float32)
    squares = np.add.reduceat(np.asarray(samples, np.float64) ** 2, starts)
    mean = squares / np.minimum(len(samples) - starts, stft.HOP)
    plain, weighted = totals[: len(starts)].T
    return (mean * np.where(plain > 0, weighted / np.where(plain > 0, plain, 1.0), 0.0)).astype(np.float32)


def loudness(power: np.ndarray) -> np.ndarray:
    """Return the loudness in decibels (LUFS of a mono sound) of weighted power, at least ``QUIETEST``."""
    return np.maximum(level(power), QUIETEST)


def gated(power: np.ndarray) -> float | None:
    """Return the integrated loudness in LUFS of blocks; of fewer than 400 ms, that of all of them; None in silence.

    Args:
        power: (blocks,) result of ``block_power``.
    """
    if len(power) < _GATE:
        return integrated(power.mean(keepdims=True)) if len(power) else None
    sums = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    return integrated((sums[_GATE::_GATE_STEP] - sums[: len(sums) - _GATE : _GATE_STEP]) / _GATE)
