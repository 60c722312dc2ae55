"""Spectral analysis for people: octave levels relative to other music, spectral tilt, and prominent peaks."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from transforms.pure.audio.chroma import CLASSES
from transforms.pure.audio.stft import RATE, WINDOW, frequencies
from transforms.pure.audio.track import TrackAudio

OCTAVES = (31.5, 63.0, 125.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0)
"""Centre frequencies of octave bands in Hz (IEC 61260-1); each band reaches half an octave down and up."""
QUIETEST = -120.0
"""Lowest level in decibels."""
PEAKS = 8
_AROUND = 24
"""Number of bins on each side that a peak is compared with."""
_STICKS_OUT = 6.0
"""Smallest height of a peak above the median of these bins, in decibels."""


@dataclass(frozen=True)
class Peak:
    """A peak of the mean spectrum.

    Attributes:
        hertz: frequency, interpolated between bins by a parabola.
        decibels: level relative to the strongest peak.
        note: nearest note of equal temperament, such as ``A4``.
    """

    hertz: float
    decibels: float
    note: str


@dataclass(frozen=True)
class SpectralAnalysis:
    """The spectral analysis of one sound.

    Attributes:
        octaves: centre in Hz → level of the octave in decibels, relative to the total power.
        deviations: centre → decibels above (or below) the reference; None without a reference.
        odd: centres that deviate by more than three spreads of the reference.
        tilt: slope in decibels per octave, by least squares from 63 Hz to 8 kHz; 0 for pink noise, higher if brighter.
        peaks: peaks of the spectrum, the strongest first.
        dynamic_range: decibels between quiet and loud frames.
        centroid: mean spectral centroid in Hz.
        roll_off: frequency in Hz below which 85 % of the magnitude lies.
        flatness: 0 to 1; 1 is white noise.
    """

    octaves: dict[float, float]
    deviations: dict[float, float] | None
    odd: tuple[float, ...]
    tilt: float
    peaks: tuple[Peak, ...]
    dynamic_range: float
    centroid: float
    roll_off: float
    flatness: float


def analysis(sound: TrackAudio, reference: Sequence[Sequence[float]] | None = None) -> SpectralAnalysis:
    """Analyse the spectrum of a sound.

    Args:
        sound: result of ``transforms.pure.audio.track``.
        reference: median and spread (decibels) of each of ``OCTAVES`` in other music.
    """
    levels = tonal_balance(sound.spectrum)
    deviations: dict[float, float] | None = None
    odd: tuple[float, ...] = ()
    if reference is not None:
        median, spread = np.asarray(reference, np.float64)
        difference = levels - median
        deviations = dict(zip(OCTAVES, difference.tolist(), strict=True))
        odd = tuple(np.array(OCTAVES)[np.abs(difference) > 3 * np.maximum(spread, 1.0)].tolist())
    return SpectralAnalysis(
        dict(zip(OCTAVES, levels.tolist(), strict=True)),
        deviations,
        odd,
        float(np.polyfit(np.arange(len(OCTAVES) - 1), levels[1:], 1)[0]),
        peaks(sound.spectrum),
        sound.dynamic_range,
        sound["centroid"],
        sound["roll_off"],
        sound["flatness"],
    )


def tonal_balance(spectrum: np.ndarray) -> np.ndarray:
    """(9,) levels of the octaves in decibels, relative to the total power.

    Args:
        spectrum: (bins,) mean power.
    """
    hertz = frequencies()
    edges = np.array(OCTAVES[:1] + OCTAVES) * np.sqrt(2.0)
    edges[0] = OCTAVES[0] / np.sqrt(2.0)
    # a bin is as wide as a low octave: each octave gets its share of the bins that it overlaps
    low = np.clip(hertz - RATE / WINDOW / 2, 0, None)
    shares = [
        np.clip((np.minimum(hertz + RATE / WINDOW / 2, to) - np.maximum(low, at)) / (RATE / WINDOW), 0, 1)
        for at, to in itertools.pairwise(edges)
    ]
    powers = np.array(shares) @ spectrum
    total = powers.sum()
    if total <= 0:
        return np.full(len(OCTAVES), QUIETEST)
    return np.asarray(np.maximum(10 * np.log10(np.maximum(powers / total, 1e-30)), QUIETEST))


def peaks(spectrum: np.ndarray) -> tuple[Peak, ...]:
    """Find at most ``PEAKS`` peaks of a spectrum, the strongest first.

    Args:
        spectrum: (bins,) mean power.
    """
    if not spectrum.max() > 0:
        return ()
    levels = 10 * np.log10(np.maximum(spectrum / spectrum.max(), 1e-12))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(levels, _AROUND, mode="edge"), 2 * _AROUND + 1)
    inner = levels[1:-1]
    is_peak = (inner > levels[:-2]) & (inner >= levels[2:]) & (inner > np.median(around, axis=1)[1:-1] + _STICKS_OUT)
    bins = np.flatnonzero(is_peak & (inner > -60)) + 1
    strongest = []
    for peak_bin in bins[np.argsort(-levels[bins], kind="stable")][:PEAKS]:
        before, at, after = levels[peak_bin - 1 : peak_bin + 2]
        shift = 0.5 * (before - after) / min(before - 2 * at + after, -1e-9)
        hertz = float((peak_bin + shift) * RATE / WINDOW)
        strongest.append(Peak(hertz, float(at - 0.25 * (before - after) * shift), _note(hertz)))
    loudest = max((peak.decibels for peak in strongest), default=0.0)
    return tuple(replace(peak, decibels=peak.decibels - loudest) for peak in strongest)


def _note(hertz: float) -> str:
    number = round(12 * np.log2(hertz / 440.0)) + 69
    return f"{CLASSES[number % 12]}{number // 12 - 1}"
