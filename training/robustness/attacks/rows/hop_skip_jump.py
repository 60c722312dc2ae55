"""HopSkipJump: the smallest change that turns a decision, from decisions alone.

J. Chen, M. I. Jordan, M. J. Wainwright, HopSkipJumpAttack: A Query-Efficient Decision-Based Attack, 2020, with the
Euclidean distance in standard deviations. From a row with another decision, a binary search finds the boundary; there,
the direction is estimated from the decisions about random steps (their equation 16, with the baseline of 12), a step is
taken as far as the decision stays turned, and the search begins again. All rows go in step, so that a model is asked
about many at a time.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from training.robustness.attack import Attack, DoesNotApply, within
from training.robustness.attacks.rows.changes import moved, need_classes, need_movable
from training.robustness.target import Target

STEPS, QUERIES = 12, 60
"""Rounds, and random steps of the first round; a round has the square root of its number times as many."""
PRECISION = 1e-3
"""Binary searches end at this share of the distance."""

Turned = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Points (m, d), and the row (m,) of each → (m,) whether the decision differs from the row's own."""


def closest(
    rows: np.ndarray,
    starts: np.ndarray,
    is_turned: Turned,
    rng: np.random.Generator,
    *,
    steps: int = STEPS,
    queries: int = QUERIES,
) -> np.ndarray:
    """Returns points (n, d) near rows (n, d) with another decision.

    Args:
        rows: the rows.
        starts: (n, d) points with another decision.
        is_turned: asks the model.
        rng: source of chance.
        steps: number of rounds.
        queries: random steps of the first round.
    """
    n, width = rows.shape
    owners = np.arange(n)
    theta = PRECISION / np.sqrt(width)
    points = _to_boundary(rows, starts, is_turned, theta)
    best = points.copy()
    for step in range(1, steps + 1):
        distances = np.linalg.norm(points - rows, axis=1)
        radius = np.maximum(distances / width, 1e-4) if step > 1 else np.maximum(0.1 * distances, 1e-4)
        count = int(queries * np.sqrt(step))
        directions = rng.normal(size=(n, count, width))
        directions /= np.maximum(np.linalg.norm(directions, axis=2, keepdims=True), 1e-12)
        trials = points[:, None] + radius[:, None, None] * directions
        signs = 2.0 * is_turned(trials.reshape(-1, width), np.repeat(owners, count)).reshape(n, count) - 1
        means = signs.mean(axis=1, keepdims=True)
        weights = np.where(np.abs(means) < 1, signs - means, signs)
        gradient = (weights[:, :, None] * directions).mean(axis=1)
        gradient /= np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-12)
        size = distances / np.sqrt(step)
        ahead = points.copy()
        waiting = np.ones(n, bool)
        for _ in range(10):
            trial = points[waiting] + size[waiting, None] * gradient[waiting]
            turned = is_turned(trial, owners[waiting])
            places = np.flatnonzero(waiting)
            ahead[places[turned]] = trial[turned]
            waiting[places[turned]] = False
            if not waiting.any():
                break
            size = np.where(waiting, size / 2, size)
        points = _to_boundary(rows, ahead, is_turned, theta)
        closer = np.linalg.norm(points - rows, axis=1) < np.linalg.norm(best - rows, axis=1)
        best[closer] = points[closer]
    return best


def _to_boundary(rows: np.ndarray, points: np.ndarray, is_turned: Turned, theta: float) -> np.ndarray:
    """Moves points towards their rows as far as the decision stays turned."""
    low, high = np.zeros(len(rows)), np.ones(len(rows))
    owners = np.arange(len(rows))
    while len(rows) and (high - low).max() > theta:
        middle = (low + high) / 2
        turned = is_turned(rows + middle[:, None] * (points - rows), owners)
        high, low = np.where(turned, middle, high), np.where(turned, low, middle)
    return np.asarray(rows + high[:, None] * (points - rows))


def least_distances(target: Target[Any], rng: np.random.Generator) -> np.ndarray:
    """Returns the (n,) least distances at which answers become wrong: 0 if they are, infinity if none was found."""
    rows = np.asarray(target.inputs, np.float32)
    shape, flat = rows.shape, rows.reshape(len(rows), -1)
    free = np.flatnonzero(np.broadcast_to(target.extra["movable"], shape[1:]).ravel())
    scale = np.broadcast_to(target.extra["scale"], shape[1:]).ravel()[free]
    distances = np.where(target.margins(rows, target.units) <= 0, 0.0, np.inf)
    decisions = target.extra["classes"](rows)

    def changed(points: np.ndarray, units: np.ndarray) -> np.ndarray:
        steps = np.zeros((len(points), flat.shape[1]))
        steps[:, free] = np.nan_to_num(points - flat[units][:, free] / scale)
        return moved(target, rows[units], steps.reshape(-1, *shape[1:]))

    open_units = np.flatnonzero(np.isinf(distances))
    scaled = np.nan_to_num(flat[:, free] / scale)
    starts = np.zeros((len(open_units), len(free)))
    has_start = np.zeros(len(open_units), bool)
    for place, unit in enumerate(open_units):  # a row of another decision, whose movable inputs turn this one, too
        others = scaled[decisions != decisions[unit]]
        if not len(others):
            continue
        nearest = others[np.argsort(((others - scaled[unit]) ** 2).sum(axis=1), kind="stable")[:20]]
        turned = target.extra["classes"](changed(nearest, np.full(len(nearest), unit))) != decisions[unit]
        if turned.any():
            starts[place], has_start[place] = nearest[int(np.argmax(turned))], True
    units = open_units[has_start]
    if len(units):
        points = closest(
            scaled[units],
            starts[has_start],
            lambda trials, owners: target.extra["classes"](changed(trials, units[owners])) != decisions[units[owners]],
            rng,
        )
        distances[units] = np.linalg.norm(points - scaled[units], axis=1)
    return distances


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures which rows keep their right answer within so large a distance."""
    need_classes(target)
    need_movable(target)
    if len(np.unique(target.extra["classes"](np.asarray(target.inputs)))) < 2:
        raise DoesNotApply("the model decides the same for all rows, so that there is no boundary to look for")
    return within(target, least_distances(target, rng), strengths)


ATTACK = Attack(
    name="hop_skip_jump",
    kinds=("rows",),
    about="The smallest change that turns the decision, from decisions alone.",
    unit="distance in standard deviations",
    strengths=(0.1, 0.25, 0.5, 1.0, 2.0),
    measure=measure,
    most=80,
)
