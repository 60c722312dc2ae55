"""How likely each beat is a downbeat: a small temporal convolutional network over beats.

Its inputs are the numbers of ``bar_features``; it sees 32 beats to each side. It is trained by
``training.models.audio.beat_tracking`` on the same sounds as ``beat_network``, on the beats that are heard in them.
"""

from functools import cache
from pathlib import Path

import numpy as np

from transforms.pure.audio.temporal_network import Weights, load, log_odds

WEIGHTS = Path(__file__).with_name("bar_network.npz")
LAYERS = 4


def of_features(features: np.ndarray) -> np.ndarray:
    """Return the (n,) log odds that each beat is a downbeat.

    Args:
        features: (n, ``bar_features.COLUMNS``) from ``bar_features.of_beats``.
    """
    return log_odds(features, _weights())[:, 0]


@cache
def _weights() -> Weights:
    return load(WEIGHTS)
