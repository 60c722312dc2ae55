"""How likely each frame is a beat: a small temporal convolutional network.

Residual blocks of dilated convolutions, as by Davies and Böck, Temporal convolutional networks for musical audio beat
tracking (EUSIPCO 2019), on rises of mel bands and pitch classes. A frame sees 12 seconds to each side. The network is
trained by ``training.models.audio.beat_tracking`` on arrangements whose beats are known; its weights lie beside this
file. There are 33,000 of them, so that numpy computes them in a few milliseconds and serving needs no other library.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from transforms.pure import npz
from transforms.pure.audio import mel
from transforms.pure.audio.onsets import LAG, rises
from transforms.pure.audio.stft import HOP, RATE, STRIDE

WEIGHTS = Path(__file__).with_name("beat_network.npz")
FRAMES_A_SECOND = RATE / (HOP * STRIDE)
BANDS = 32
"""Number of mel bands, each the sum of four."""
INPUTS = BANDS + 12
TAPS = 5
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


class BeatNetwork:
    """The log odds of a beat in each frame of a sound that is added in consecutive pieces: hours need little memory.

    Example:
        >>> network = BeatNetwork()
        >>> network.add(np.ones((8, mel.BANDS), np.float32), np.ones((4, 12), np.float32))
        >>> network.result().shape
        (4,)
    """

    def __init__(self) -> None:
        self._arrivals = BeatInputs()
        self._inputs = np.empty((0, INPUTS), np.float32)
        self._before = 0  # frames of ``_inputs`` whose result is known
        self._log_odds: list[np.ndarray] = []

    def add(self, mel_power: np.ndarray, chroma: np.ndarray) -> None:
        """Add the next frames, as in ``BeatInputs.add``."""
        self._inputs = np.concatenate([self._inputs, self._arrivals.add(mel_power, chroma)])
        while len(self._inputs) >= self._before + _SPAN + CONTEXT:
            self._compute(self._before + _SPAN, self._before + _SPAN + CONTEXT)

    def result(self) -> np.ndarray:
        """Return (n,) float32 log odds of a beat, ``FRAMES_A_SECOND`` times a second."""
        if len(self._inputs) > self._before:
            self._compute(len(self._inputs), len(self._inputs))
        return np.concatenate([np.empty(0, np.float32), *self._log_odds])

    def _compute(self, stop: int, seen: int) -> None:
        """Compute the results up to frame ``stop`` from the frames up to ``seen``; drop frames no longer needed."""
        self._log_odds.append(log_odds(self._inputs[:seen])[self._before : stop, 0])
        first = max(stop - CONTEXT, 0)
        self._inputs, self._before = self._inputs[first:], stop - first


def log_odds(inputs: np.ndarray, weights: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
    """Compute the network.

    Args:
        inputs: (n, ``INPUTS``) rises of bands and pitch classes.
        weights: arrays by name, (taps, inputs, outputs) and biases; those that come along by default.

    Returns:
        (n, 2) float32 log odds of a beat and of a downbeat; the latter is there to learn the former from.
    """
    weights = _weights() if weights is None else weights
    hidden = _elu(_convolve(inputs, weights["first"], weights["first_bias"]))
    hidden = _elu(_convolve(hidden, weights["second"], weights["second_bias"]))
    for number, dilation in enumerate(DILATIONS):
        wide = _elu(_convolve(hidden, weights[f"wide_{number}"], weights[f"wide_bias_{number}"], dilation))
        hidden = hidden + wide @ weights[f"mix_{number}"] + weights[f"mix_bias_{number}"]
    return np.asarray(_elu(hidden) @ weights["last"] + weights["last_bias"], np.float32)


def _convolve(rows: np.ndarray, kernel: np.ndarray, bias: np.ndarray, dilation: int = 1) -> np.ndarray:
    """(n, outputs) convolution in time of (n, inputs) rows; zeros lie beyond both ends."""
    reach = len(kernel) // 2 * dilation
    padded = np.pad(rows, ((reach, reach), (0, 0)))
    taps = [padded[tap * dilation : tap * dilation + len(rows)] for tap in range(len(kernel))]
    return np.concatenate(taps, axis=1) @ kernel.reshape(-1, kernel.shape[2]) + bias


def _elu(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.expm1(np.minimum(values, 0)))


@cache
def _weights() -> dict[str, np.ndarray]:
    return {name: array.astype(np.float32) for name, array in npz.unpack(WEIGHTS.read_bytes()).items()}
