"""Sounds of which nothing can be said, mono at ``stft.RATE``."""

import numpy as np

from transforms.pure.audio.stft import RATE

_CLICKS = np.zeros(8 * RATE)
_CLICKS[:: RATE // 2] = 0.9
NOTHING = {
    "empty": np.zeros(0),
    "silence": np.zeros(8 * RATE),
    "a moment": 0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE // 5) / RATE),
    "white noise": np.random.default_rng(0).normal(0, 0.2, 8 * RATE),
    "quiet noise": np.random.default_rng(1).normal(0, 1e-3, 8 * RATE),
    "clicks": _CLICKS,
    "offset": np.full(4 * RATE, 0.5),
    "one sample": np.array([0.5]),
}
"""Name → samples."""
