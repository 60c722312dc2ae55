"""One step by the sign of the gradient (FGSM).

I. J. Goodfellow et al., Explaining and Harnessing Adversarial Examples, 2015.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.robustness.attack import Attack
from training.robustness.attacks.networks.gradients import gradient, graph_of
from training.robustness.attacks.rows.changes import moved
from training.robustness.target import Target


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures all inputs after one step of each length."""
    graph, output = graph_of(target)
    rows = np.asarray(target.inputs, np.float32)
    direction = np.sign(gradient(graph, output, rows, target.labels) * target.extra["scale"])
    return np.array([target.values(moved(target, rows, strength * direction), target.units) for strength in strengths])


ATTACK = Attack(
    name="fgsm",
    kinds=("rows", "patches"),
    about="One step along the sign of the gradient of the loss.",
    unit="largest change of an input: standard deviations, or dB of a mel band",
    strengths=(0.1, 0.25, 0.5, 1.0),
    measure=measure,
    most=100,
)
