"""Technical measures of a master: loudness, clipping, silence, offset, noise, bandwidth, stereo.

Loudness is that of ITU-R BS.1770 with the gates of EBU R128, by pyloudnorm (C. J. Steinmetz and J. D. Reiss,
pyloudnorm, AES 2021).
"""

import math

import numpy as np

FRAME_SECONDS = 0.05
SILENT = 1e-3
"""Root mean square below which a frame counts as silent: -60 dB."""
RUN = 3
"""Consecutive samples at the peak that count as clipping."""
FLOOR = 1e-7
"""Smallest amplitude: -140 dB."""
HIDDEN = 1e-6
"""Largest share of the power above the bandwidth."""
LOWEST_LOUDNESS_RATE = 8_000
"""Lowest sample rate for loudness; the standard's filters for frequencies above 1.7 kHz are unstable far below."""
SHORTEST_LOUDNESS = 0.4
"""Shortest sound for loudness in seconds: one block of the standard."""
_BLOCK = 4_096


def measure(samples: np.ndarray, rate: int, seconds: float | None = None) -> dict[str, float | None]:
    """Compute the features of view ``audio_quality``; None for those that this sound does not have.

    Args:
        samples: (n, channels) with n at least 1; NaN counts as 0, infinite values as full scale.
        rate: samples per second.
        seconds: length of the whole recording, if ``samples`` are a part of it.
    """
    with np.errstate(invalid="ignore"):  # a damaged file may have signalling NaN
        sound = np.nan_to_num(np.asarray(samples, np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
    sound = sound.reshape(len(sound), -1)
    peak = float(np.abs(sound).max())
    power = float((sound**2).mean())
    frame_levels = _frame_levels(sound, rate)
    silent = frame_levels < SILENT
    audible = frame_levels[frame_levels > FLOOR]
    return {
        "seconds": len(sound) / rate if seconds is None else seconds,
        "loudness": _loudness(sound, rate),
        "peak": decibel(peak),
        "crest": decibel(peak) - decibel(math.sqrt(power)) if peak > FLOOR else None,
        "clipped_share": _clipped(sound, peak),
        "silent_share": float(silent.mean()),
        "longest_silence": _longest_run(silent) * FRAME_SECONDS,
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
    """Root mean square of each frame, of its loudest channel."""
    length = max(1, round(FRAME_SECONDS * rate))
    count = max(1, len(sound) // length)
    samples = sound[: count * length] if len(sound) >= length else sound
    return np.sqrt((samples.reshape(count, -1, sound.shape[1]) ** 2).mean(axis=1).max(axis=1))


def _loudness(sound: np.ndarray, rate: int) -> float | None:
    if len(sound) < SHORTEST_LOUDNESS * rate or sound.shape[1] > 5 or rate < LOWEST_LOUDNESS_RATE:
        return None
    import pyloudnorm

    with np.errstate(divide="ignore", invalid="ignore"):
        loudness = float(pyloudnorm.Meter(rate).integrated_loudness(sound))
    return loudness if math.isfinite(loudness) else None


def _clipped(sound: np.ndarray, peak: float) -> float:
    """Share of samples in runs at the positive or negative peak, as clipping produces."""
    if peak < SILENT:
        return 0.0
    count = 0
    for channel in sound.T:
        for at_limit in (channel >= 0.9999 * channel.max(), channel <= 0.9999 * channel.min()):
            edges = np.flatnonzero(np.diff(np.r_[False, at_limit, False]))
            lengths = edges[1::2] - edges[::2]
            count += int(lengths[lengths >= RUN].sum())
    return min(count / sound.size, 1.0)


def _longest_run(silent: np.ndarray) -> int:
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
    """Correlation and balance of the first two channels; a mono file has correlation 1 and balance 0."""
    if sound.shape[1] < 2:
        return {"correlation": 1.0, "balance": 0.0}
    left, right = sound[:, 0], sound[:, 1]
    powers = [float(np.sqrt((channel**2).mean())) for channel in (left, right)]
    balance = decibel(powers[0]) - decibel(powers[1])
    if min(powers) <= FLOOR:
        return {"correlation": None, "balance": balance}
    return {"correlation": float(np.clip((left * right).mean() / (powers[0] * powers[1]), -1, 1)), "balance": balance}
