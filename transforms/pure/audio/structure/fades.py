"""Fades: where a sound has reached its level, and from where on it dies away.

The level rises to a plateau, or falls from it, over some seconds and by many decibels; the plateau begins where it
does not rise further within three seconds. The rise is a straight line of amplitudes or of decibels, whichever fits
better, and ends where that reaches the plateau. Silence before and after belongs to a fade, and a last chord that rings
for some seconds is one.
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.structure.frames import BLOCK_SECONDS

LEAST_SECONDS = 1.5
"""Shortest fade."""
LEAST_RANGE = 12.0
"""Least range of a fade in decibels."""
_LOUDEST = 2.5
"""Greatest power that counts, that of full scale, so that a damaged sample does not make silence of all others."""
_SILENT = -60.0
"""Level, relative to the loudest, below which there is silence."""
_WINDOW, _STEP = round(0.75 / BLOCK_SECONDS), round(0.1 / BLOCK_SECONDS)
_PLATEAU = 1.5
"""Rise in decibels that is none."""
_MOST_DIP = 6.0
"""Decibels by which a level may go back within a fade, as music is not even."""
_PATIENCE = round(3.0 / (_STEP * BLOCK_SECONDS))
"""Levels within which that of a fade rises further."""


@dataclass(frozen=True)
class Fades:
    """The fades of one sound.

    Attributes:
        end_of_fade_in: seconds; 0 if the sound begins at its level.
        start_of_fade_out: seconds; the length of the sound if it does not fade.
    """

    end_of_fade_in: float
    start_of_fade_out: float


def fades(power: np.ndarray, seconds: float) -> Fades:
    """Return the fades of a sound.

    Args:
        power: (blocks,) power of each ``BLOCK_SECONDS``.
        seconds: length of the sound.

    >>> times = np.arange(3_000) * BLOCK_SECONDS
    >>> result = fades(np.minimum(times / 10, 1.0) ** 2, float(times[-1]))
    >>> round(result.end_of_fade_in), round(result.start_of_fade_out, 1)
    (10, 34.8)
    """
    power = np.minimum(power, _LOUDEST)
    begin = min(_end_of_rise(power), seconds)
    end = seconds - _end_of_rise(power[::-1])
    return Fades(begin, min(max(end, begin), seconds))


def _end_of_rise(power: np.ndarray) -> float:
    """Seconds after which the level has been reached; 0 if it is there from the beginning, or nowhere."""
    loudest = float(power.max(initial=0.0))
    audible = np.flatnonzero(power > loudest * 10 ** (_SILENT / 10))
    if not len(audible):
        return 0.0
    begin = int(audible[0])
    silence_seconds = begin * BLOCK_SECONDS if begin > 1 else 0.0
    levels = _levels(power[begin:])
    if len(levels) < 2:
        return silence_seconds
    highest = np.maximum.accumulate(levels)
    padded = np.pad(levels, (0, _PATIENCE), mode="edge")
    ahead = np.lib.stride_tricks.sliding_window_view(padded, _PATIENCE + 1).max(axis=1)
    end = int((ahead <= highest + _PLATEAU).argmax())
    goes_back = bool((levels[: end + 1] < highest[: end + 1] - _MOST_DIP).any())
    seconds = end * _STEP * BLOCK_SECONDS
    if goes_back or seconds < LEAST_SECONDS or highest[end] - levels[0] < LEAST_RANGE:
        return silence_seconds
    plateau = float(np.median(levels[end : end + _PATIENCE]))
    return begin * BLOCK_SECONDS + _crossing(levels[: end + 1], plateau)


def _levels(power: np.ndarray) -> np.ndarray:
    """(n,) levels in decibels of windows of three quarters of a second, every tenth of a second."""
    if len(power) < _WINDOW:
        return np.empty(0)
    sums = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    mean = (sums[_WINDOW:] - sums[:-_WINDOW])[::_STEP] / _WINDOW
    return 10 * np.log10(np.maximum(mean, mean.max() * 10 ** (_SILENT / 10) + 1e-30))


def _crossing(levels: np.ndarray, plateau: float) -> float:
    """Seconds from the first window's beginning on until a straight line through the levels reaches a plateau."""
    times = (np.arange(len(levels)) * _STEP + _WINDOW / 2) * BLOCK_SECONDS
    best = (-1.0, float(times[-1]))
    for values, goal in ((10 ** (levels / 20), 10 ** (plateau / 20)), (levels, plateau)):
        slope, start = np.polyfit(times, values, 1)
        fit = float(np.corrcoef(times, values)[0, 1])
        if slope > 0 and fit > best[0]:
            best = (fit, float((goal - start) / slope))
    return float(np.clip(best[1], times[-1] - LEAST_SECONDS, times[-1] + _PATIENCE * _STEP * BLOCK_SECONDS))
