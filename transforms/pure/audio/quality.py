"""How a master sounds to a meter: loudness, clipping, silence, offset, noise, bandwidth, stereo.

Loudness is that of ITU-R BS.1770 with the gates of EBU R128, by pyloudnorm (C. J. Steinmetz and J. D. Reiss,
pyloudnorm, AES 2021).
"""

import math

import numpy as np

FRAME_SECONDS = 0.05
SILENT = 1e-3
"""Root mean square of a frame that counts as silence: -60 dB."""
RUN = 3
"""Samples in a row at the peak that make it clipped."""
FLOOR = 1e-7
"""Nothing is quieter: -140 dB."""
HIDDEN = 1e-6
"""Share of the power that may lie above the bandwidth."""
LOWEST_LOUDNESS_RATE = 8_000
"""Samples a second; the standard's filters, which lift what lies above 1.7 kHz, are not stable much below."""
SHORTEST_LOUDNESS = 0.4
"""Seconds, a block of the standard."""
_BLOCK = 4_096


def measure(samples: np.ndarray, rate: int, seconds: float | None = None) -> dict[str, float | None]:
    """The measures of view ``audio_quality``; None for what cannot be told of this sound.

    Args:
        samples: (n, channels), n at least 1; what is not finite counts as 0.
        rate: samples a second.
        seconds: of the whole recording, if ``samples`` are a part of it.
    """
    with np.errstate(invalid="ignore"):  # a damaged file may hold NaN that signal
        sound = np.nan_to_num(np.asarray(samples, np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
    sound = sound.reshape(len(sound), -1)
    peak = float(np.abs(sound).max())
    power = float((sound**2).mean())
    frames = _frame_levels(sound, rate)
    silent = frames < SILENT
    audible = frames[frames > FLOOR]
    return {
        "seconds": len(sound) / rate if seconds is None else seconds,
        "loudness": _loudness(sound, rate),
        "peak": decibel(peak),
        "crest": decibel(peak) - decibel(math.sqrt(power)) if peak > FLOOR else None,
        "clipped_share": _clipped(sound, peak),
        "silent_share": float(silent.mean()),
        "longest_silence": _longest(silent) * FRAME_SECONDS,
        "dc_offset": float(np.abs(sound.mean(axis=0)).max()),
        "noise_floor": decibel(float(np.quantile(audible, 0.05))) if len(audible) else None,
        "bandwidth": _bandwidth(sound.mean(axis=1)),
        **_stereo(sound),
    }


def decibel(amplitude: float) -> float:
    """20 times the base-10 logarithm; -140 for everything quieter.

    >>> decibel(0.1)
    -20.0
    """
    return 20 * math.log10(max(amplitude, FLOOR))


def _frame_levels(sound: np.ndarray, rate: int) -> np.ndarray:
    """Root mean square of frames, of the loudest channel."""
    length = max(1, round(FRAME_SECONDS * rate))
    whole = max(1, len(sound) // length)
    cut = sound[: whole * length] if len(sound) >= length else sound
    return np.sqrt((cut.reshape(whole, -1, sound.shape[1]) ** 2).mean(axis=1).max(axis=1))


def _loudness(sound: np.ndarray, rate: int) -> float | None:
    if len(sound) < SHORTEST_LOUDNESS * rate or sound.shape[1] > 5 or rate < LOWEST_LOUDNESS_RATE:
        return None
    import pyloudnorm

    with np.errstate(divide="ignore", invalid="ignore"):
        found = float(pyloudnorm.Meter(rate).integrated_loudness(sound))
    return found if math.isfinite(found) else None


def _clipped(sound: np.ndarray, peak: float) -> float:
    """Share of samples in runs at the peak of their sign: what was cut off there lies on one line."""
    if peak < SILENT:
        return 0.0
    count = 0
    for channel in sound.T:
        for at_limit in (channel >= 0.9999 * channel.max(), channel <= 0.9999 * channel.min()):
            edges = np.flatnonzero(np.diff(np.r_[False, at_limit, False]))
            lengths = edges[1::2] - edges[::2]
            count += int(lengths[lengths >= RUN].sum())
    return min(count / sound.size, 1.0)


def _longest(silent: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.r_[False, silent, False]))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _bandwidth(mono: np.ndarray) -> float | None:
    """Share of the spectrum below which nearly all of the power lies, from windowed blocks."""
    if len(mono) < _BLOCK:
        return None
    blocks = mono[: len(mono) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    spectrum = np.zeros(_BLOCK // 2 + 1)
    window = np.hanning(_BLOCK)
    for first in range(0, len(blocks), 256):
        spectrum += (np.abs(np.fft.rfft(blocks[first : first + 256] * window, axis=1)) ** 2).sum(axis=0)
    total = spectrum.sum()
    if total <= 0:
        return None
    above = np.cumsum(spectrum[::-1])[::-1] / total
    return float((above > HIDDEN).sum() / len(spectrum))


def _stereo(sound: np.ndarray) -> dict[str, float | None]:
    """Correlation and balance of the first two channels; a mono file is perfectly even."""
    if sound.shape[1] < 2:
        return {"correlation": 1.0, "balance": 0.0}
    left, right = sound[:, 0], sound[:, 1]
    powers = [float(np.sqrt((channel**2).mean())) for channel in (left, right)]
    balance = decibel(powers[0]) - decibel(powers[1])
    if min(powers) <= FLOOR:
        return {"correlation": None, "balance": balance}
    return {"correlation": float(np.clip((left * right).mean() / (powers[0] * powers[1]), -1, 1)), "balance": balance}
