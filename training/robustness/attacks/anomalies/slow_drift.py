"""Slow drift: a change that comes so slowly that a detector which keeps learning takes it for normal (boiling frog).

B. I. P. Rubinstein et al., ANTIDOTE: Understanding and Defending against Poisoning of Anomaly Detectors, 2009. What is
added to a metric rises in a straight line to its full height instead of at once.
"""

import numpy as np

from training.robustness.attack import Attack, by_change


def slow_down(stream: np.ndarray, steps: float, rng: np.random.Generator) -> np.ndarray:
    """Spreads the onset of what an attack adds to a stream (2, t) over so many steps.

    >>> slow_down(np.array([[0.0] * 4, [0.0, 2.0, 2.0, 2.0]]), 2, np.random.default_rng(0))[1].tolist()
    [0.0, 1.0, 2.0, 2.0]
    """
    base, added = stream
    start = int(np.argmax(added != 0)) if added.any() else len(added)
    ramp = np.clip((np.arange(len(added)) - start + 1) / max(round(steps), 1), 0.0, 1.0)
    return np.stack([base, added * ramp])


ATTACK = Attack(
    name="slow_drift",
    kinds=("streams",),
    about="A lasting change of a metric that rises slowly to its full height.",
    unit="values until the full height",
    strengths=(30, 100, 300, 1_000),
    measure=by_change(slow_down),
)
