"""What was learned: arrays by name, from ``track_features.npz`` beside this file."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from transforms.pure import npz

WEIGHTS = Path(__file__).with_name("track_features.npz")
Weights = Mapping[str, np.ndarray]


@cache
def shipped() -> Weights:
    """Return the arrays that come along."""
    return npz.unpack(WEIGHTS.read_bytes())
