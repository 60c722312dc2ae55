"""The tracks of one taste: the target is to reach the fans of an artist (Mobasher et al., ACM TOIT 2007)."""

import numpy as np

from training.shilling.attacks.contract import Attack, with_target
from training.shilling.known import Known

ANCHORS = 100


def make(known: Known, target: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draws fillers from what the fans of one popular track play more than others do."""
    popular = np.argsort(-known.listeners, kind="stable")[:ANCHORS]
    anchor = int(rng.choice(popular))
    fans = known.played[:, [anchor]].toarray().ravel()
    affinity = (known.played.T @ fans) / np.sqrt(np.maximum(known.listeners, 1))
    taste = np.argsort(-affinity, kind="stable")
    profiles = []
    for length in known.lengths(count, rng).tolist():
        pool = taste[: 2 * length]
        fillers = rng.choice(pool, min(max(length - 2, 0), len(pool)), replace=False)
        profiles.append(with_target(np.append(fillers, anchor), target, rng))
    return profiles


ATTACK = Attack("segment", "tracks of one taste, of a person who wants the fans of an artist", make)
