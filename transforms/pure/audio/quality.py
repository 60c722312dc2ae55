"""Technical measures of a master: loudness, clipping, silence, offset, noise, bandwidth, stereo.

A sound is measured block by block, so that hours need no more memory than seconds.
"""

import math

import numpy as np

from transforms.pure.audio.clipping import Clipping
from transforms.pure.audio.loudness.layouts import Layout
from transforms.pure.audio.loudness.meter import Loudness, LoudnessMeter

FRAME_SECONDS = 0.05
SILENT = 1e-3
"""Root mean square below which a frame counts as silent: -60 dB."""
FLOOR = 1e-7
"""Smallest amplitude: -140 dB."""
HIDDEN = 1e-6
"""Largest share of the power above the bandwidth."""
_BLOCK = 4_096
_LOUDEST = 1e6
"""Magnitude at which samples are clipped for the spectrum; larger values come from damage."""
_WINDOW = np.hanning(_BLOCK).astype(np.float32)
_AT_ONCE = 1 << 16
"""Number of samples of all channels that are measured at once, so that they stay in the cache."""


class Meter:
    """Measures a sound that is added block by block.

    Args:
        rate: samples per second.
        channels: number of channels.
        layout: names of the channels, for the loudness; the usual ones if None.
        true_peak: whether to measure the true peak.
    """

    def __init__(self, rate: int, channels: int, layout: Layout | None = None, *, true_peak: bool = False) -> None:
        self._rate, self._channels, self._count = rate, channels, 0
        self._loudness = LoudnessMeter(rate, channels, layout, true_peak=true_peak)
        self._clipping = Clipping(channels)
        self._peak, self._sums, self._squares, self._product = 0.0, np.zeros(channels), np.zeros(channels), 0.0
        self._frame = max(1, round(FRAME_SECONDS * rate))
        self._levels: list[np.ndarray] = []
        self._frame_rest, self._mono_rest = np.empty((channels, 0)), np.empty(0, np.float32)
        self._mean, self._spectrum = np.full(channels, 1 / channels), np.zeros(_BLOCK // 2 + 1)

    def add(self, samples: np.ndarray) -> None:
        """Add the next (n, channels) samples; NaN counts as 0, infinite values as full scale."""
        step = max(_AT_ONCE // self._channels, 1)
        for start in range(0, len(samples), step):
            with np.errstate(invalid="ignore", over="ignore"):  # a damaged file may have signalling NaN
                block = np.ascontiguousarray(samples[start : start + step].T, np.float64)
                sums = block.sum(axis=1)
                if not np.isfinite(sums).all():
                    block = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0)
                    sums = block.sum(axis=1)
            self._add(block, sums)

    def _add(self, channels: np.ndarray, sums: np.ndarray) -> None:
        """Add (channels, n) samples: each channel lies together, which numpy is fast with."""
        self._count += channels.shape[1]
        self._loudness.add(channels.T)
        highest, lowest = channels.max(axis=1), channels.min(axis=1)
        self._clipping.add(channels, highest, lowest)
        self._peak = max(self._peak, float(highest.max()), -float(lowest.min()))
        self._sums += sums
        self._squares += np.array([channel @ channel for channel in channels])
        if self._channels > 1:
            self._product += float(channels[0] @ channels[1])
        self._add_levels(channels)
        self._add_spectrum(self._mean @ channels)

    def _add_levels(self, channels: np.ndarray) -> None:
        frames = np.concatenate([self._frame_rest, channels], axis=1)
        whole = frames.shape[1] // self._frame * self._frame
        if whole:
            self._levels.append(_levels(frames[:, :whole].reshape(self._channels, -1, self._frame)))
        self._frame_rest = frames[:, whole:].copy()

    def _add_spectrum(self, mono: np.ndarray) -> None:
        """Add the power spectra of windowed blocks."""
        from scipy import fft  # late: a server may do without the extra for sound

        mono = np.concatenate([self._mono_rest, np.clip(mono, -_LOUDEST, _LOUDEST)], dtype=np.float32)
        whole = len(mono) // _BLOCK * _BLOCK
        if whole:
            spectra = fft.rfft(mono[:whole].reshape(-1, _BLOCK) * _WINDOW, axis=1, overwrite_x=True)
            parts = spectra.view(np.float32)
            power = np.einsum("ij,ij->j", parts, parts, dtype=np.float64)
            self._spectrum += power[::2] + power[1::2]
        self._mono_rest = mono[whole:].copy()

    def result(self, seconds: float | None = None) -> dict[str, float | None]:
        """Return the features of view ``audio_quality`` after at least one sample; None for those that do not exist.

        Args:
            seconds: length of the whole recording, if the samples are a part of it.
        """
        size = self._count * self._channels
        levels = np.concatenate(self._levels) if self._levels else _levels(self._frame_rest[:, None])
        silent, audible = levels < SILENT, levels[levels > FLOOR]
        rms = math.sqrt(self._squares.sum() / size)
        return {
            "seconds": self._count / self._rate if seconds is None else seconds,
            "loudness": self.loudness().integrated_lufs,
            "peak": decibel(self._peak),
            "crest": decibel(self._peak) - decibel(rms) if self._peak > FLOOR else None,
            "clipped_share": min(self._clipping.count / size, 1.0) if self._peak >= SILENT else 0.0,
            "silent_share": float(silent.mean()),
            "longest_silence": _longest_run(silent) * FRAME_SECONDS,
            "dc_offset": float(np.abs(self._sums / self._count).max()),
            "noise_floor": decibel(float(np.quantile(audible, 0.05))) if len(audible) else None,
            "bandwidth": self._bandwidth(),
            **self._stereo(),
        }

    def loudness(self) -> Loudness:
        """Return the loudness of what was added so far."""
        return self._loudness.result()

    def _bandwidth(self) -> float | None:
        """Share of the spectrum below which nearly all of the power lies."""
        total = self._spectrum.sum()
        if total <= 0:
            return None
        above = np.cumsum(self._spectrum[::-1])[::-1] / total
        return float((above > HIDDEN).sum() / len(self._spectrum))

    def _stereo(self) -> dict[str, float | None]:
        """Correlation and balance of the first two channels; a mono file has correlation 1 and balance 0."""
        if self._channels < 2:
            return {"correlation": 1.0, "balance": 0.0}
        powers = [float(np.sqrt(square / self._count)) for square in self._squares[:2]]
        balance = decibel(powers[0]) - decibel(powers[1])
        if min(powers) <= FLOOR:
            return {"correlation": None, "balance": balance}
        correlation = self._product / self._count / (powers[0] * powers[1])
        return {"correlation": float(np.clip(correlation, -1, 1)), "balance": balance}


def measure(samples: np.ndarray, rate: int) -> dict[str, float | None]:
    """Measure a whole sound (``Meter``).

    Args:
        samples: (n, channels) with n at least 1.
        rate: samples per second.
    """
    sound = np.asarray(samples).reshape(len(samples), -1)
    meter = Meter(rate, sound.shape[1])
    meter.add(sound)
    return meter.result()


def decibel(amplitude: float) -> float:
    """20 times the base-10 logarithm; -140 for everything quieter.

    >>> decibel(0.1)
    -20.0
    """
    return 20 * math.log10(max(amplitude, FLOOR))


def _levels(frames: np.ndarray) -> np.ndarray:
    """Root mean square of each of (channels, frames, samples), of its loudest channel."""
    return np.sqrt(np.einsum("ijk,ijk->ij", frames, frames).max(axis=0) / frames.shape[2])


def _longest_run(silent: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.r_[False, silent, False]))
    return int((edges[1::2] - edges[::2]).max(initial=0))
