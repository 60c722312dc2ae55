"""Loudness of ITU-R BS.1770 with the gates of EBU R128, block by block, so that hours take no more memory than seconds.

The filters are pyloudnorm's (C. J. Steinmetz and J. D. Reiss, pyloudnorm, AES 2021), and the result equals that of its
meter, which needs the whole sound.
"""

import math

import numpy as np

MOST_CHANNELS = 5
"""Most channels for which the standard has a weight."""
LOWEST_RATE = 8_000
"""Lowest sample rate for loudness; the standard's filters for frequencies above 1.7 kHz are unstable far below."""
SHORTEST = 0.4
"""Shortest sound for loudness in seconds: one gating block of the standard."""
_HOPS = 4
"""Hops of a gating block."""
_WEIGHTS = np.array([1.0, 1.0, 1.0, 1.41, 1.41])
_QUIETEST = -70.0
"""Absolute gate, in LUFS."""
_BELOW = 10.0
"""Relative gate: decibels below the loudness of all blocks that passed the absolute gate."""


class Loudness:
    """Measures the loudness of a sound that is added block by block.

    Args:
        rate: samples per second.
        channels: number of channels.

    >>> meter = Loudness(48_000, 1)
    >>> meter.add(np.sin(2 * np.pi * 997 * np.arange(48_000) / 48_000)[:, None])
    >>> round(meter.result(), 1)
    -3.0
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._rate, self._count = rate, 0
        self._is_measured = channels <= MOST_CHANNELS and rate >= LOWEST_RATE
        if self._is_measured:
            import pyloudnorm

            filters = pyloudnorm.Meter(rate)._filters.values()
            self._filters = [(one.passband_gain * one.b, one.a) for one in filters]
            self._states = [np.zeros((2, channels)) for _ in self._filters]
            self._sums = [np.zeros(channels)]  # of squares, by hop

    def add(self, block: np.ndarray) -> None:
        """Add the next (n, channels) samples, float64."""
        if not self._is_measured:
            self._count += len(block)
            return
        from scipy.signal import lfilter

        for number, (numerator, denominator) in enumerate(self._filters):
            block, self._states[number] = lfilter(numerator, denominator, block, axis=0, zi=self._states[number])
        end = self._count + len(block)
        first = len(self._sums) - 1
        borders = [self._border(first)]
        while borders[-1] < end:
            borders.append(self._border(first + len(borders)))
        starts = np.maximum(np.array(borders[:-1], np.int64) - self._count, 0)
        if len(starts):
            sums = np.add.reduceat(block**2, starts, axis=0)
            self._sums[-1] = self._sums[-1] + sums[0]
            self._sums += list(sums[1:])
            if borders[-1] == end:
                self._sums.append(np.zeros(block.shape[1]))
        self._count = end

    def result(self) -> float | None:
        """Return the loudness in LUFS; None for silence, and where the standard defines none."""
        seconds = self._count / self._rate
        if not self._is_measured or self._count < SHORTEST * self._rate:
            return None
        count = round((seconds - SHORTEST) / (SHORTEST / _HOPS)) + 1
        sums = np.array(self._sums)
        sums = np.concatenate([sums, np.zeros((max(count + _HOPS - 1 - len(sums), 0), sums.shape[1]))])
        blocks = np.sum([sums[hop : hop + count] for hop in range(_HOPS)], axis=0) / (SHORTEST * self._rate)
        weights = _WEIGHTS[: sums.shape[1]]
        levels = _level(blocks @ weights)
        audible = levels >= _QUIETEST
        if not audible.any():
            return None
        gate = max(float(_level(blocks[audible].mean(axis=0) @ weights)) - _BELOW, _QUIETEST)
        passing = levels > gate
        loudness = float(_level(blocks[passing].mean(axis=0) @ weights)) if passing.any() else -math.inf
        return loudness if math.isfinite(loudness) else None

    def _border(self, hop: int) -> int:
        """First sample of a hop, rounded as pyloudnorm does."""
        return int(SHORTEST * (hop / _HOPS) * self._rate)


def _level(power: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.asarray(-0.691 + 10.0 * np.log10(power))
