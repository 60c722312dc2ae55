"""Fillers by popularity: the average attack of Lam and Riedl (WWW 2004), for plays instead of ratings."""

import numpy as np

from training.shilling.attacks.contract import Attack, with_target
from training.shilling.known import Known


def make(known: Known, target: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draws fillers by their number of listeners; as many as real profiles have."""
    chances = known.listeners / max(known.listeners.sum(), 1)
    lengths = np.minimum(known.lengths(count, rng) - 1, (chances > 0).sum())
    return [
        with_target(rng.choice(len(chances), length, replace=False, p=chances), target, rng)
        for length in lengths.tolist()
    ]


ATTACK = Attack("average", "fillers by popularity, of a person who knows the charts and the lengths of profiles", make)
