"""Experiments that run."""

from typing import Any

import msgspec

from refrain.client.answers.time import Time


class Variant(msgspec.Struct, frozen=True):
    """One arm of an experiment."""

    name: str
    weight: float
    settings: dict[str, Any]


class Experiment(msgspec.Struct, frozen=True):
    """One experiment.

    Attributes:
        buckets: first bucket and last bucket + 1, of the 10,000 buckets of the layer.
        share: share of the listeners in its buckets who take part.
        reason: why it was stopped.
    """

    name: str
    state: str
    mode: str
    layer: str
    buckets: list[int]
    share: float
    metric: str
    variants: list[Variant]
    started: Time | None
    stopped: Time | None
    reason: str


class Experiments(msgspec.Struct, frozen=True):
    """All experiments, and the share of listeners who take part in none."""

    holdout: float
    experiments: list[Experiment]
