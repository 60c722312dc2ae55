"""Inputs that are missing: what somebody hides, or a broken source leaves out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.robustness.attack import Attack
from training.robustness.attacks.rows.changes import need_movable
from training.robustness.target import Target


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures all rows with a share of the movable inputs of each missing; a stronger attack hides more of them."""
    need_movable(target)
    rows = np.asarray(target.inputs)
    draws = rng.random(rows.shape)
    return np.array(
        [
            target.values(np.where(target.extra["movable"] & (draws < strength), np.nan, rows), target.units)
            for strength in strengths
        ]
    )


ATTACK = Attack(
    name="hidden_features",
    kinds=("rows",),
    about="Inputs that the person can change are missing.",
    unit="share of these inputs",
    strengths=(0.1, 0.25, 0.5, 1.0),
    measure=measure,
)
