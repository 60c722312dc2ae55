"""Steps of the newest history that say nothing was played: an outage, or a source that has not delivered yet."""

import numpy as np

from training.robustness.attack import Attack, by_change


def blank(history: np.ndarray, steps: float, rng: np.random.Generator) -> np.ndarray:
    """Sets the newest steps of a history (t,) to 0.

    >>> blank(np.array([3.0, 2.0, 1.0]), 2, np.random.default_rng(0)).tolist()
    [3.0, 0.0, 0.0]
    """
    after = history.copy()
    newest = after[-round(steps) :]
    newest[np.isfinite(newest)] = 0.0
    return after


ATTACK = Attack(
    name="outages",
    kinds=("series",),
    about="The newest steps before the forecast are 0.",
    unit="steps",
    strengths=(1, 2, 4),
    measure=by_change(blank),
)
