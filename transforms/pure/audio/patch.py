"""The input of the convolutional network: a mel spectrogram in decibels below the loudest level."""

import numpy as np

from transforms.pure.audio import mel, stft

SECONDS = 10.0
FRAMES = int(SECONDS * stft.RATE / (stft.HOP * stft.STRIDE))
RANGE = 80.0
"""Dynamic range in decibels below the loudest level."""


def patch(mono: np.ndarray) -> np.ndarray:
    """(``mel.BANDS``, ``FRAMES``) float32 from -1 (silent) to 1 (loudest), of the middle of a sound.

    A shorter sound is centred, with silence around it.

    Args:
        mono: (n,) samples at ``stft.RATE``.
    """
    longest = int(SECONDS * stft.RATE)
    start = max((len(mono) - longest) // 2, 0)
    part = mono[start : start + longest]
    frames = stft.frame_count(len(part))
    count = min(-(-frames // stft.STRIDE), FRAMES)
    out = np.full((mel.BANDS, FRAMES), -1.0, np.float32)
    power = np.concatenate(list(stft.power(stft.padded(part), count, every=stft.STRIDE)))
    levels = mel.decibels(power @ mel.bank())
    loudest = float(levels.max())
    if loudest > -RANGE:
        first = (FRAMES - count) // 2
        out[:, first : first + count] = (np.clip(levels - loudest, -RANGE, 0.0) / (RANGE / 2) + 1).T
    return out
