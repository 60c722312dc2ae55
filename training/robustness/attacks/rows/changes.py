"""Changes of rows that stay within what somebody can change, and within the range of the training rows."""

from typing import Any

import numpy as np

from training.robustness.attack import DoesNotApply
from training.robustness.target import Target


def moved(target: Target[Any], rows: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Returns rows (m, …) moved by steps (m, …) in standard deviations: only where they may, within the bounds.

    A missing value stays missing; a value beyond the bounds already stays as it is.
    """
    extra = target.extra
    after = rows + np.where(extra["movable"], steps * extra["scale"], 0.0)
    low, high = np.minimum(rows, extra["low"]), np.maximum(rows, extra["high"])
    return np.asarray(np.clip(after, low, high), np.float32)


def need_classes(target: Target[Any]) -> None:
    """Refuses a target without decisions.

    Raises:
        DoesNotApply: the model predicts numbers.
    """
    if "classes" not in target.extra:
        raise DoesNotApply("it needs a decision between classes, and the model predicts numbers")


def need_movable(target: Target[Any]) -> None:
    """Refuses a target of which nobody can change anything.

    Raises:
        DoesNotApply: no input is movable.
    """
    if not np.any(target.extra["movable"]):
        raise DoesNotApply("no input of the model can be changed by the person")
