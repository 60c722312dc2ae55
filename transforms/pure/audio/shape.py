"""Spectral shape features: centroid, bandwidth, roll-off, flatness and contrast; levels and zero crossings.

Centroid, bandwidth, roll-off, flatness and zero crossings as in Peeters, A large set of audio features (2004); contrast
by Jiang et al., Music type classification by spectral contrast feature (2002).
"""

import itertools
from functools import cache

import numpy as np

from transforms.pure.audio.stft import BINS, HOP, RATE, STRIDE, WINDOW, frequencies

CONTRASTS = 7
ROLL_OFF = 0.85
_LOWEST = 200.0
_QUANTILE = 0.02
_TINY = 1e-10

NAMES = ("centroid", "bandwidth", "roll_off", "flatness", *(f"contrast_{band}" for band in range(CONTRASTS)))


def of_power(power: np.ndarray) -> np.ndarray:
    """(frames, len(``NAMES``)) float32 features: Hz, Hz, Hz, a share, and peak-to-valley decibels of octave bands.

    Args:
        power: (frames, bins) power spectra; a silent frame has centroid, bandwidth and roll-off 0.
    """
    magnitude = np.sqrt(power)
    out = np.empty((len(power), len(NAMES)), np.float32)
    moments = magnitude @ _moments()
    total = np.where(moments[:, 0] > 0, moments[:, 0], 1.0)
    centre = moments[:, 1] / total
    out[:, 0] = centre
    out[:, 1] = np.sqrt(np.maximum(moments[:, 2] / total - centre**2, 0.0))
    out[:, 2] = np.where(moments[:, 0] > 0, _first_beyond(magnitude, ROLL_OFF) * (RATE / WINDOW), 0.0)
    floored = np.maximum(power, np.float32(_TINY))
    out[:, 3] = np.exp(np.log(floored).mean(axis=1)) / floored.mean(axis=1)
    for number, (first, last, quantile_bins) in enumerate(_octaves()):
        band = np.sort(magnitude[:, first:last], axis=1)  # numpy vectorizes a sort, but not a partition
        valley, peak = band[:, :quantile_bins].mean(axis=1), band[:, last - first - quantile_bins :].mean(axis=1)
        out[:, 4 + number] = 10 * np.log10(np.maximum(peak, _TINY) / np.maximum(valley, _TINY))
    return out


def levels(around: np.ndarray, frames: int) -> np.ndarray:
    """(frames,) root mean square of the samples of every ``STRIDE``-th window, without window function.

    Args:
        around: mono samples with margins, as for ``stft.power``.
        frames: number of frames.
    """
    hop, blocks = HOP * STRIDE, frames - 1 + WINDOW // (HOP * STRIDE)  # a window is a whole number of blocks
    samples = around[: blocks * hop].reshape(blocks, hop)
    energy = np.einsum("ij,ij->i", samples, samples, dtype=np.float64)
    return np.sqrt(_window_sums(energy) / WINDOW).astype(np.float32)


def crossings(around: np.ndarray, frames: int) -> np.ndarray:
    """(frames,) share of samples of a window whose sign differs from that of the previous sample."""
    hop, blocks = HOP * STRIDE, frames - 1 + WINDOW // (HOP * STRIDE)
    negative = np.pad(around[: blocks * hop] < -_TINY, (0, 1), mode="edge")
    changes = (negative[1:] != negative[:-1]).reshape(blocks, hop)
    counts = np.count_nonzero(changes, axis=1)
    last = changes[WINDOW // hop - 1 :, -1]  # from the last sample of a window to the next
    return ((_window_sums(counts) - last) / WINDOW).astype(np.float32)


def _window_sums(blocks: np.ndarray) -> np.ndarray:
    """Sums of the blocks of each window."""
    return np.lib.stride_tricks.sliding_window_view(blocks, WINDOW // (HOP * STRIDE)).sum(axis=1)


def _first_beyond(magnitude: np.ndarray, share: float) -> np.ndarray:
    """(frames,) first bin up to which a frame's sum reaches a share of its total; searches blocks, then one block."""
    width = 32
    blocked_bins = BINS // width * width  # the last bin lies beyond the blocks
    rows = np.arange(len(magnitude))
    blocks = magnitude[:, :blocked_bins].reshape(len(magnitude), -1, width)
    sums = np.cumsum(blocks.sum(axis=2), axis=1)
    target = share * (sums[:, -1] + magnitude[:, blocked_bins:].sum(axis=1))
    block = (sums < target[:, None]).sum(axis=1)
    block_index = np.minimum(block, sums.shape[1] - 1)
    before = np.where(block_index > 0, sums[rows, block_index - 1], 0.0)
    cumulative = before[:, None] + np.cumsum(blocks[rows, block_index], axis=1)
    return np.where(
        block < sums.shape[1], block_index * width + (cumulative < target[:, None]).sum(axis=1), blocked_bins
    )


@cache
def _moments() -> np.ndarray:
    hertz = frequencies()
    return np.column_stack([np.ones(BINS), hertz, hertz**2]).astype(np.float64)


@cache
def _octaves() -> tuple[tuple[int, int, int], ...]:
    """First bin, bin after the last, and number of bins in the peak and valley quantiles, of each octave band."""
    hertz = frequencies()
    edges = [0.0, *(_LOWEST * 2.0**octave for octave in range(CONTRASTS))]
    bands = []
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = np.flatnonzero((hertz >= low) & (hertz <= high))
        first = int(inside[0]) - (number > 0)  # a band includes the bin below it
        last = BINS if number == CONTRASTS - 1 else int(inside[-1])
        quantile_bins = max(round(_QUANTILE * (last - first + (number < CONTRASTS - 1))), 1)
        bands.append((first, last, quantile_bins))
    return tuple(bands)
