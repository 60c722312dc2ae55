"""What is kept of each frame of a sound, for its structure."""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio import stft
from transforms.pure.audio.onsets import FRAMES_A_SECOND

BLOCK_SECONDS = stft.HOP / stft.RATE
"""Length of a block of ``Frames.power``."""
COARSE_SECONDS = stft.HOP * stft.STRIDE / stft.RATE
"""Distance of the frames of ``Frames.chroma`` and ``Frames.timbre``."""
TIMBRES = 12
"""Number of timbre coefficients."""


@dataclass(frozen=True)
class Frames:
    """The frames of one sound.

    Attributes:
        samples: number of samples of the sound at ``stft.RATE``.
        onsets: (n,) onset strength every ``1 / FRAMES_A_SECOND`` seconds, in standard deviations of its surroundings.
        power: (b,) K-weighted mean power of each block of ``BLOCK_SECONDS``; the last block may lack samples.
        chroma: (c, 12) pitch classes from C on, every ``COARSE_SECONDS``; the strongest of a frame is 1.
        timbre: (c, ``TIMBRES``) cepstral coefficients of mel bands in decibels.
    """

    samples: int
    onsets: np.ndarray
    power: np.ndarray
    chroma: np.ndarray
    timbre: np.ndarray

    @property
    def seconds(self) -> float:
        """Length of the sound in seconds."""
        return self.samples / stft.RATE


def coarse_frame(seconds: np.ndarray) -> np.ndarray:
    """Return the number of the first coarse frame whose centre is at or after each time.

    >>> coarse_frame(np.array([0.0, 0.05, 1.0]))
    array([ 0,  3, 44])
    """
    return np.ceil(np.asarray(seconds) / COARSE_SECONDS - 1e-9).astype(np.int64)


def fine_frame(seconds: np.ndarray) -> np.ndarray:
    """Return the number of the nearest frame of ``Frames.onsets`` to each time."""
    return np.rint(np.asarray(seconds) * FRAMES_A_SECOND).astype(np.int64)
