"""As few inputs as possible, each set to the worst value: greedy search over all values that make a difference.

Trees are constant between their thresholds. With the thresholds as grid (``Target.extra["grids"]``) the search of one
input is exact: no other value of it is worse. For a second and third input it is greedy. For other models the grid is
quantiles of the training rows, and the search a lower bound of what an opponent can do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.robustness.attack import Attack, DoesNotApply, within
from training.robustness.attacks.rows.changes import need_classes, need_movable
from training.robustness.target import Target

MOST = 8
"""Most inputs that are changed."""


def least_count(target: Target[Any], unit: int, most: int) -> float:
    """Returns the least number of inputs that make the answer wrong; 0 if it is wrong already, infinity if none do."""
    row = np.asarray(target.inputs[unit], np.float32)
    if target.margins(row[None], np.array([unit]))[0] <= 0:
        return 0.0
    columns = [
        (column, np.asarray(grid, np.float32))
        for column, grid in enumerate(target.extra["grids"])
        if target.extra["movable"][column] and len(grid)
    ]
    places = np.concatenate([np.full(len(grid), column) for column, grid in columns])
    values = np.concatenate([grid for _, grid in columns])
    for count in range(1, most + 1):
        candidates = np.tile(row, (len(values), 1))
        candidates[np.arange(len(values)), places] = values
        margins = target.margins(candidates, np.full(len(values), unit))
        worst = int(np.argmin(margins))
        if margins[worst] <= 0:
            return float(count)
        row = candidates[worst]
    return float("inf")


def measure(target: Target[Any], strengths: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Measures which rows keep their right answer if so many inputs are changed."""
    need_classes(target)
    need_movable(target)
    if not any(len(grid) for grid in target.extra["grids"]):
        raise DoesNotApply("there are no values to try")
    most = min(int(max(strengths)), MOST)
    return within(target, np.array([least_count(target, unit, most) for unit in range(len(target))]), strengths)


ATTACK = Attack(
    name="few_features",
    kinds=("rows",),
    about="Few inputs set to their worst values; exact for one input of boosted trees.",
    unit="inputs",
    strengths=(1, 2, 3),
    measure=measure,
    most=80,
)
