"""Buries a track: fakes play what leads to it and never the track itself, so that the link looks like chance."""

import numpy as np

from training.shilling.attacks.contract import Attack
from training.shilling.known import Known


def make(known: Known, target: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draws fillers from the tracks that share most listeners with the target."""
    fans = known.played[:, [target]].toarray().ravel()
    shared = known.played.T @ fans
    shared[target] = 0
    linked = np.argsort(-shared, kind="stable")
    profiles = []
    for length in known.lengths(count, rng).tolist():
        pool = linked[: 2 * length]
        profiles.append(rng.choice(pool[pool != target], min(length, len(pool) - 1), replace=False))
    return profiles


ATTACK = Attack("nuke", "plays what leads to the target, never the target, of a rival", make, pushes=False)
