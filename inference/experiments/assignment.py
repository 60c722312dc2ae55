"""Which arm a listener is in: by hashes of their id, so that every process decides alike and nothing is stored.

Four hashes with salts of their own: of the holdout, of the layer (10,000 buckets), of who is in as an experiment is
ramped up, and of the arm. Being independent, raising a share moves nobody from one arm to another, and the arms of one
layer say nothing about those of another (D. Tang et al., Overlapping Experiment Infrastructure, KDD 2010).
"""

import hashlib
from collections.abc import Sequence

from feature_repo.experiments import BUCKETS, Experiment, Experiments

_LARGEST = 1 << 64


def uniform(salt: str, unit: str) -> float:
    """A number in [0, 1) that is always the same for a salt and a unit.

    >>> uniform("holdout", "u000042") == uniform("holdout", "u000042")
    True
    """
    digest = hashlib.blake2b(unit.encode(), digest_size=8, key=salt.encode()[:64]).digest()
    return int.from_bytes(digest, "big") / _LARGEST


def is_held_out(found: Experiments, unit: str) -> bool:
    """Whether a listener is in no experiment at all."""
    return found.holdout > 0 and uniform("holdout", unit) < found.holdout


def is_in(experiment: Experiment, unit: str) -> bool:
    """Whether a listener is in a running experiment."""
    if experiment.state != "running":
        return False
    low, high = experiment.buckets
    if not low <= int(uniform(f"layer/{experiment.layer}", unit) * BUCKETS) < high:
        return False
    return uniform(f"ramp/{experiment.name}", unit) < experiment.share


def arm_of(experiment: Experiment, unit: str) -> int:
    """The place of their arm, by the weights that were declared."""
    return place(uniform(f"arm/{experiment.name}", unit), [variant.weight for variant in experiment.variants])


def place(number: float, weights: Sequence[float]) -> int:
    """Where a number in [0, 1) falls when weights lie side by side.

    >>> place(0.5, [1, 1]), place(0.49, [1, 1])
    (1, 0)
    """
    reached, total = 0.0, sum(weights)
    for number_of_arm, weight in enumerate(weights):
        reached += weight
        if number * total < reached:
            return number_of_arm
    return len(weights) - 1
