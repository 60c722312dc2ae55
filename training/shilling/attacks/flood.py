"""Plays the target after each of the most popular tracks, hundreds of times: against whatever counts plays."""

import numpy as np

from training.shilling.attacks.contract import Attack
from training.shilling.known import Known

ANCHORS, ROUNDS = 40, 10


def make(known: Known, target: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Alternates popular tracks with the target."""
    popular = np.argsort(-known.listeners, kind="stable")[:ANCHORS]
    popular = popular[popular != target]
    profiles = []
    for _ in range(count):
        anchors = np.concatenate([rng.permutation(popular) for _ in range(ROUNDS)])
        profiles.append(np.stack([anchors, np.full(len(anchors), target)], axis=1).ravel())
    return profiles


ATTACK = Attack("flood", "the target after every popular track, over and over, of a bot that knows what counts", make)
