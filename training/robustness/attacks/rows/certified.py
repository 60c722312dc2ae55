"""What no attack can do: certified accuracy by randomised smoothing.

J. M. Cohen, E. Rosenfeld, J. Z. Kolter, Certified Adversarial Robustness via Randomized Smoothing, 2019. The smoothed
model answers what the model answers most often under normal noise of standard deviation σ. If a lower bound p of the
chance of that answer (Clopper and Pearson, 1934) is above one half, no change of Euclidean length below σ Φ⁻¹(p) turns
it; if not, the smoothed model abstains. With draws of its own, the answer is chosen before the bound is computed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import betaincinv, ndtri

from training.robustness.attack import Attack
from training.robustness.attacks.rows.changes import need_classes, need_movable
from training.robustness.target import Target

SIGMA = 0.5
"""Standard deviation of the noise, in those of the inputs."""
CHOOSING, BOUNDING = 50, 500
"""Draws that choose the answer, and draws that bound its chance."""
ALPHA = 0.001
"""Chance that a certificate is wrong."""


def lower_bound(successes: int, draws: int, alpha: float = ALPHA) -> float:
    """Returns the one-sided lower bound of a chance, by Clopper and Pearson.

    >>> round(lower_bound(500, 500), 4), lower_bound(0, 500)
    (0.9863, 0.0)
    """
    return 0.0 if successes == 0 else float(betaincinv(successes, draws - successes + 1, alpha))


def certify(target: Target[Any], unit: int, sigma: float, rng: np.random.Generator) -> tuple[int | None, float]:
    """Returns the smoothed answer about a unit and its certified radius; None and 0 if the smoothed model abstains.

    Args:
        target: a target of rows with classes.
        unit: number of the unit.
        sigma: standard deviation of the noise.
        rng: source of chance.
    """
    row = np.asarray(target.inputs[unit], np.float64)
    noise = rng.normal(size=(CHOOSING + BOUNDING, *row.shape)) * sigma * target.extra["scale"]
    rows = row + np.where(target.extra["movable"], noise, 0.0)
    answers = np.asarray(target.extra["classes"](rows.astype(np.float32)), np.int64)
    chosen = int(np.bincount(answers[:CHOOSING]).argmax())
    bound = lower_bound(int((answers[CHOOSING:] == chosen).sum()), BOUNDING)
    return (chosen, sigma * float(ndtri(bound))) if bound > 0.5 else (None, 0.0)


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures which rows are certified to keep a right answer within each radius."""
    need_classes(target)
    need_movable(target)
    certificates = [certify(target, unit, SIGMA, rng) for unit in range(len(target))]
    radii = np.array(
        [
            radius if answer == label else -1.0
            for (answer, radius), label in zip(certificates, target.labels, strict=True)
        ]
    )
    return np.array([(radii >= strength).astype(float) for strength in strengths])


ATTACK = Attack(
    name="certified",
    kinds=("rows",),
    about=f"Certified accuracy, smoothed with noise of {SIGMA:g}: no change of this length turns the answer.",
    unit="radius in standard deviations",
    strengths=(0.1, 0.25, 0.5, 1.0),
    measure=measure,
    most=100,
)
