"""Assigns listeners to arms by hashes of their id, so that every process decides alike and nothing is stored.

There are four hashes, each with its own salt: for the holdout, the layer (10,000 buckets), the ramp-up share and the
arm. Because they are independent, raising the share moves no listener to another arm, and arms of different layers are
uncorrelated (D. Tang et al., Overlapping Experiment Infrastructure, KDD 2010).
"""

import hashlib
from collections.abc import Sequence

from feature_repo.experiments import BUCKETS, Experiment, Experiments

_LARGEST = 1 << 64


def uniform(salt: str, unit: str) -> float:
    """Hash a salt and a unit to a number in [0, 1).

    >>> uniform("holdout", "u000042") == uniform("holdout", "u000042")
    True
    """
    digest = hashlib.blake2b(unit.encode(), digest_size=8, key=salt.encode()[:64]).digest()
    return int.from_bytes(digest, "big") / _LARGEST


def is_held_out(declared: Experiments, unit: str) -> bool:
    """Whether a listener is in the holdout, and so in no experiment."""
    return declared.holdout > 0 and uniform("holdout", unit) < declared.holdout


def is_in(experiment: Experiment, unit: str) -> bool:
    """Whether a listener is in a running experiment."""
    if experiment.state != "running":
        return False
    low, high = experiment.buckets
    if not low <= int(uniform(f"layer/{experiment.layer}", unit) * BUCKETS) < high:
        return False
    return uniform(f"ramp/{experiment.name}", unit) < experiment.share


def arm_of(experiment: Experiment, unit: str) -> int:
    """Return the index of a listener's arm, by the declared weights."""
    return place(uniform(f"arm/{experiment.name}", unit), [variant.weight for variant in experiment.variants])


def place(number: float, weights: Sequence[float]) -> int:
    """Return the index of the weight into which a number in [0, 1) falls when weights lie side by side.

    >>> place(0.5, [1, 1]), place(0.49, [1, 1])
    (1, 0)
    """
    cumulative, total = 0.0, sum(weights)
    for index, weight in enumerate(weights):
        cumulative += weight
        if number * total < cumulative:
            return index
    return len(weights) - 1
