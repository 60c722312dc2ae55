"""How likely each frame is a beat: a small temporal convolutional network.

Residual blocks of dilated convolutions, as by Davies and Böck, Temporal convolutional networks for musical audio beat
tracking (EUSIPCO 2019), on rises of mel bands and pitch classes. A frame sees 12 seconds to each side. The network is
trained by ``training.models.audio.beat_tracking`` on arrangements whose beats are known; its weights lie beside this
file. There are 33,000 of them, so that numpy computes them in a few milliseconds and serving needs no other library.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from transforms.pure.audio import bar_features, mel
from transforms.pure.audio.onsets import LAG, rises
from transforms.pure.audio.stft import HOP, RATE, STRIDE
from transforms.pure.audio.temporal_network import TAPS, Weights, load, log_odds

WEIGHTS = Path(__file__).with_name("beat_network.npz")
FRAMES_A_SECOND = RATE / (HOP * STRIDE)
BANDS = 32
"""Number of mel bands, each the sum of four."""
INPUTS = BANDS + 12
DILATIONS = (1, 2, 4, 8, 16, 32, 64, 128)
CONTEXT = 2 + TAPS // 2 * sum(DILATIONS)
"""Number of frames to each side that a result depends on."""
_LARGEST = 3.0
"""Largest rise, in tens of decibels."""
_SPAN = round(60 * FRAMES_A_SECOND)
"""Number of frames that are computed at once."""


class BeatInputs:
    """What the network sees of a sound, piece by piece: rises of bands, and pitch classes."""

    def __init__(self) -> None:
        self._last_power = np.empty((0, mel.BANDS), np.float32)
        self._last_rise = np.zeros((1, BANDS), np.float32)

    def add(self, mel_power: np.ndarray, chroma: np.ndarray) -> np.ndarray:
        """Return the (n, ``INPUTS``) float32 inputs of the next frames.

        Args:
            mel_power: (2 n or 2 n - 1, ``mel.BANDS``) mel power of every hop; an odd number ends the sound.
            chroma: (n, 12) pitch classes of every second hop.
        """
        around = np.concatenate([self._last_power, mel_power])
        rise = rises(around.reshape(len(around), BANDS, -1).sum(axis=2))[len(self._last_power) :]
        before = np.concatenate([self._last_rise, rise[1 : 2 * len(chroma) - 1 : STRIDE]])
        strongest = np.maximum(rise[::STRIDE], before)  # of a frame and the one before it
        self._last_power, self._last_rise = around[-LAG:], rise[-1:]
        return np.column_stack([np.minimum(strongest / 10, _LARGEST), chroma])


@dataclass(frozen=True)
class BeatEvidence:
    """What is known of each frame, ``FRAMES_A_SECOND`` times a second.

    Attributes:
        log_odds: (n, 2) float32 log odds of a beat and of a downbeat.
        bands: (n, ``bar_features.EVIDENCE``) float16 rises and levels of bands.
    """

    log_odds: np.ndarray
    bands: np.ndarray


class BeatNetwork:
    """The log odds of a beat in each frame of a sound that is added in consecutive pieces: hours need little memory.

    Example:
        >>> network = BeatNetwork()
        >>> network.add(np.ones((8, mel.BANDS), np.float32), np.ones((4, 12), np.float32))
        >>> network.result().log_odds.shape
        (4, 2)
    """

    def __init__(self) -> None:
        self._arrivals = BeatInputs()
        self._inputs = np.empty((0, INPUTS), np.float32)
        self._before = 0  # frames of ``_inputs`` whose result is known
        self._log_odds: list[np.ndarray] = []
        self._bands: list[np.ndarray] = []

    def add(self, mel_power: np.ndarray, chroma: np.ndarray) -> None:
        """Add the next frames, as in ``BeatInputs.add``."""
        rows = self._arrivals.add(mel_power, chroma)
        self._bands.append(bar_features.evidence(mel_power[::STRIDE], rows[:, :BANDS]))
        self._inputs = np.concatenate([self._inputs, rows])
        while len(self._inputs) >= self._before + _SPAN + CONTEXT:
            self._compute(self._before + _SPAN, self._before + _SPAN + CONTEXT)

    def result(self) -> BeatEvidence:
        """Return what is known of each frame; only once, as it takes what was kept of them."""
        if len(self._inputs) > self._before:
            self._compute(len(self._inputs), len(self._inputs))
        bands = np.concatenate([np.empty((0, bar_features.EVIDENCE), np.float16), *self._bands])
        self._bands.clear()
        odds = np.concatenate([np.empty((0, 2), np.float32), *self._log_odds])
        self._log_odds.clear()
        return BeatEvidence(odds, bands)

    def _compute(self, stop: int, seen: int) -> None:
        """Compute the results up to frame ``stop`` from the frames up to ``seen``; drop frames no longer needed."""
        self._log_odds.append(log_odds(self._inputs[:seen], _weights())[self._before : stop])
        first = max(stop - CONTEXT, 0)
        self._inputs, self._before = self._inputs[first:], stop - first


@cache
def _weights() -> Weights:
    return load(WEIGHTS)
