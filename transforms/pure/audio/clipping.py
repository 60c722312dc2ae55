"""Clipped samples: runs at the positive or negative peak of a channel, found block by block."""

import numpy as np

RUN = 3
"""Consecutive samples at the peak that count as clipping."""
AT_PEAK = 0.9999
"""Share of the peak from which a sample counts as at the peak."""


class Clipping:
    """Counts the clipped samples of a sound that is added block by block.

    Where the peak rises by less than 0.01 % from one block to the next, runs at the earlier peak stay counted.

    Args:
        channels: number of channels.

    >>> clipping, samples = Clipping(1), np.array([[0.0, 1.0, 1.0, 1.0, 0.0, -0.5, 1.0]])
    >>> clipping.add(samples, samples.max(axis=1), samples.min(axis=1))
    >>> clipping.count
    3
    """

    def __init__(self, channels: int) -> None:
        self._sides = [_Side() for _ in range(2 * channels)]

    def add(self, block: np.ndarray, highest: np.ndarray, lowest: np.ndarray) -> None:
        """Add the next (channels, n) samples.

        Args:
            block: the samples.
            highest: (channels,) largest sample of each channel.
            lowest: (channels,) smallest sample of each channel.
        """
        for number, channel in enumerate(block):
            self._sides[2 * number].add(channel, float(highest[number]), 1)
            self._sides[2 * number + 1].add(channel, -float(lowest[number]), -1)

    @property
    def count(self) -> int:
        """Number of samples of all channels in runs of ``RUN`` or more."""
        return sum(side.count for side in self._sides)


class _Side:
    """The positive peak of one channel.

    Attributes:
        count: samples in runs of ``RUN`` or more.
    """

    def __init__(self) -> None:
        self.count, self._peak, self._open_run = 0, -np.inf, 0

    def add(self, samples: np.ndarray, peak: float, sign: int) -> None:
        """Add samples whose largest, times the sign, is ``peak``."""
        if peak > self._peak:
            if self._peak < AT_PEAK * peak:
                self.count = self._open_run = 0
            self._peak = peak
        lowest = AT_PEAK * self._peak
        if peak < lowest:
            self._open_run = 0
            return
        at_peak = samples >= lowest if sign > 0 else samples <= -lowest
        edges = np.flatnonzero(np.diff(at_peak, prepend=False, append=False))
        lengths = edges[1::2] - edges[::2]
        long = int(lengths[lengths >= RUN].sum())
        if at_peak[0] and self._open_run:
            first, together = int(lengths[0]), self._open_run + int(lengths[0])
            counted = (first if first >= RUN else 0) + (self._open_run if self._open_run >= RUN else 0)
            long += (together if together >= RUN else 0) - counted
            lengths[0] = together
        self.count += long
        self._open_run = int(lengths[-1]) if at_peak[-1] else 0
