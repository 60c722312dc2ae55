"""Beats that the decoder found half as often as they are: where the network hears beats half-way, too.

The decoder prefers usual tempos, and repetition after two beats is as strong as after one, so that fast music is often
heard at half its tempo. Whether it was is a logistic regression of three numbers, fitted on 330 development sounds.
"""

import numpy as np

from transforms.pure.audio.bar_features import near
from transforms.pure.audio.stft import STRIDE

_LARGEST = 7.0
_ON_BEAT, _HALF_WAY, _ALTERNATION, _BIAS = -0.3, 1.5, 1.8, 0.2
"""Weights of the mean log odds at the beats and half-way, and of the difference between even and odd beats."""
_ONSETS = 0.05
"""Least onset strength half-way, relative to that at the beats."""
_FEWEST = 8
_SHIFT = 2
"""Frames that a beat half-way may be moved to the larger activation."""


def is_half(beats: np.ndarray, log_odds: np.ndarray, onset: np.ndarray) -> bool:
    """Return whether there are as many beats again, between these.

    Args:
        beats: (n,) frames of the beats.
        log_odds: (about frames / 2,) log odds of a beat, of every second frame.
        onset: (frames,) strength of onsets; half-way there must be some.
    """
    middle = (beats[1:] + beats[:-1]) // 2
    if len(beats) < _FEWEST or near(onset[:, None], middle).mean() < _ONSETS * near(onset[:, None], beats).mean():
        return False
    on_beat, half_way = (_odds_at(frames, log_odds) for frames in (beats, middle))
    alternation = abs(float(on_beat[::2].mean() - on_beat[1::2].mean()))
    evidence = _ON_BEAT * on_beat.mean() + _HALF_WAY * half_way.mean() + _ALTERNATION * alternation + _BIAS
    return bool(evidence > 0)


def doubled(beats: np.ndarray, activation: np.ndarray) -> np.ndarray:
    """Return the beats with those between them, where the activation is largest near the middle.

    Args:
        beats: (n,) frames.
        activation: (frames,) how likely each frame is a beat.
    """
    shifts = np.arange(-_SHIFT, _SHIFT + 1)
    around = np.clip((beats[1:] + beats[:-1])[:, None] // 2 + shifts, 0, len(activation) - 1)
    middle = around[np.arange(len(around)), activation[around].argmax(axis=1)]
    return np.sort(np.concatenate([beats, middle]))


def _odds_at(frames: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    """(n,) largest log odds of five frames around each."""
    around = [near(log_odds[:, None], frames // STRIDE + shift) for shift in (-1, 1)]
    return np.clip(np.maximum(*around)[:, 0], -_LARGEST, _LARGEST)
