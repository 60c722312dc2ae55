"""Normal noise on every input that somebody can change: not an opponent, but the rivals of one on the same rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.robustness.attack import Attack
from training.robustness.attacks.rows.changes import moved, need_movable
from training.robustness.target import Target


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures all rows under the same noise at each strength."""
    need_movable(target)
    rows = np.asarray(target.inputs)
    noise = rng.normal(size=rows.shape)
    return np.array([target.values(moved(target, rows, strength * noise), target.units) for strength in strengths])


ATTACK = Attack(
    name="feature_noise",
    kinds=("rows", "patches"),
    about="Normal noise on the inputs that the person can change.",
    unit="standard deviations of each input",
    strengths=(0.1, 0.25, 0.5, 1.0),
    measure=measure,
)
