"""Key and mode: the major or minor scale whose profile correlates best with the pitch classes of a sound.

Profiles by Albrecht and Shanahan, The use of large corpora to train a new type of key-finding algorithm (Music
Perception 2013); correlation as by Krumhansl and Schmuckler.
"""

from dataclasses import dataclass

import numpy as np

from transforms.pure.audio.chroma import CLASSES

_MAJOR = (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081)
_MINOR = (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052)
MODES = ("major", "minor")


@dataclass(frozen=True)
class Key:
    """The key of one sound.

    Attributes:
        tonic: tonic such as ``F#``.
        mode: ``major`` or ``minor``.
        confidence: correlation of the best key minus that of the second best, 0 to 1.
    """

    tonic: str
    mode: str
    confidence: float


def _profiles() -> np.ndarray:
    keys = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
    centred = keys - keys.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True))


_PROFILES = _profiles()


def mode_confidence(pitch_classes: np.ndarray) -> float:
    """Correlation with the best key less that with the best key of the other mode, 0 to 1; 0 if all are equal.

    Args:
        pitch_classes: (12,) energy of the pitch classes from C on.

    >>> round(mode_confidence(np.array(_MAJOR)), 2)
    0.28
    """
    centred = np.asarray(pitch_classes, np.float64) - np.mean(pitch_classes)
    length = float(np.linalg.norm(centred))
    if length < 1e-6:
        return 0.0
    major, minor = (_PROFILES @ (centred / length)).reshape(2, 12).max(axis=1)
    return float(np.clip(abs(major - minor), 0.0, 1.0))


def of_chroma(pitch_classes: np.ndarray) -> Key | None:
    """The key of a sound from the energy (12,) of its pitch classes; None if all are equal."""
    centred = np.asarray(pitch_classes, np.float64) - np.mean(pitch_classes)
    length = float(np.linalg.norm(centred))
    if length < 1e-6:
        return None
    correlations = _PROFILES @ (centred / length)
    second, best = np.sort(correlations)[-2:]
    mode, tonic = divmod(int(correlations.argmax()), 12)
    return Key(CLASSES[tonic], MODES[mode], float(np.clip(best - second, 0.0, 1.0)))
