"""Sounds as they come through codecs, noise and filters, for training that expects them."""

import numpy as np

from training.robustness.attacks.sounds import clipping, gain, low_pass, mp3, pink_noise, white_noise

WAYS = (
    (mp3.through_mp3, (128.0, 64.0)),
    (white_noise.add_noise, (30.0, 20.0)),
    (pink_noise.add_noise, (30.0, 20.0)),
    (gain.turn_down, (6.0, 20.0)),
    (clipping.overdrive, (3.0, 6.0)),
    (low_pass.muffle, (8.0, 4.0)),
)
"""Ways, and two strengths of each: none is as strong as the strongest attack."""


def degrade(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sends samples (n,) at 22,050 Hz through one of the ways; the length stays.

    >>> degrade(np.zeros(100, np.float32), np.random.default_rng(0)).shape
    (100,)
    """
    way, strengths = WAYS[int(rng.integers(len(WAYS)))]
    return way(samples, strengths[int(rng.integers(len(strengths)))], rng)
