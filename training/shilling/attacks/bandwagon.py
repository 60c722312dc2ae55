"""The most popular tracks and others by lot (Burke, Mobasher, Williams, Bhaumik, KDD 2006)."""

import numpy as np

from training.shilling.attacks.contract import Attack, with_target
from training.shilling.known import Known


def make(known: Known, target: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Takes half of the fillers from the top of the charts, the others by lot."""
    tracks = known.played.shape[1]
    charts = np.argsort(-known.listeners, kind="stable")
    profiles = []
    for length in np.minimum(known.lengths(count, rng), tracks).tolist():
        top = charts[: (length - 1) // 2]
        others = rng.choice(tracks, length - 1 - len(top), replace=False)
        profiles.append(with_target(np.concatenate([top, others]), target, rng))
    return profiles


ATTACK = Attack("bandwagon", "the top of the charts and others by lot, of a person who knows the charts", make)
