"""Fillers by lot (Lam, Riedl: Shilling Recommender Systems for Fun and Profit, WWW 2004)."""

import numpy as np

from training.shilling.attacks.contract import Attack, with_target
from training.shilling.known import Known


def make(known: Known, target: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draws fillers with equal chances; as many as real profiles have."""
    tracks = known.played.shape[1]
    lengths = np.minimum(known.lengths(count, rng), tracks)
    return [with_target(rng.choice(tracks, length - 1, replace=False), target, rng) for length in lengths.tolist()]


ATTACK = Attack("random", "fillers by lot, of a person who knows nothing", make)
