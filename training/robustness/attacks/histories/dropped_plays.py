"""A history that is known in part: an import that is incomplete, a person who listens elsewhere."""

import numpy as np

from training.robustness.attack import Attack, by_change


def drop(history: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Leaves out a share of the entries of a history (k, 2), but never all of them.

    >>> drop(np.ones((10, 2)), 0.5, np.random.default_rng(0)).shape
    (5, 2)
    """
    count = max(round(len(history) * (1 - share)), min(len(history), 1))
    return history[np.sort(rng.permutation(len(history))[:count])]


ATTACK = Attack(
    name="dropped_plays",
    kinds=("histories",),
    about="Entries of the history are left out.",
    unit="share of the history",
    strengths=(0.1, 0.25, 0.5, 0.9),
    measure=by_change(drop),
)
