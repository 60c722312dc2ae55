"""Projected gradient descent within an L∞ ball: A. Madry et al., Towards Deep Learning Models Resistant to Adversarial
Attacks, 2018. Steps along the sign of the gradient from a random start; an input counts as fallen if any step made it
wrong."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.robustness.attack import Attack
from training.robustness.attacks.networks.gradients import gradient, graph_of
from training.robustness.attacks.rows.changes import moved
from training.robustness.target import Target

STEPS = 10


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures all inputs at their worst step within each ball; the balls lie within each other."""
    graph, output = graph_of(target)
    rows = np.asarray(target.inputs, np.float32)
    start = rng.uniform(-1.0, 1.0, rows.shape)
    worst = target.values(rows, target.units)
    measured = {}
    for strength in sorted(strengths):
        steps = strength * start
        for _ in range(STEPS):
            changed = moved(target, rows, steps)
            worst = np.minimum(worst, target.values(changed, target.units))
            direction = np.sign(gradient(graph, output, changed, target.labels) * target.extra["scale"])
            steps = np.clip(steps + 2.5 * strength / STEPS * direction, -strength, strength)
        worst = np.minimum(worst, target.values(moved(target, rows, steps), target.units))
        measured[strength] = worst
    return np.array([measured[strength] for strength in strengths])


ATTACK = Attack(
    name="pgd",
    kinds=("rows", "patches"),
    about=f"{STEPS} steps along the gradient of the loss from a random start, each within the largest change.",
    unit="largest change of an input: standard deviations, or dB of a mel band",
    strengths=(0.1, 0.25, 0.5, 1.0),
    measure=measure,
    most=100,
)
