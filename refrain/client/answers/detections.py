"""Detections of anomalies, and the incidents that they belong to."""

import msgspec

from refrain.client.answers.time import Time


class Detection(msgspec.Struct, frozen=True):
    """The detection for one observation.

    Attributes:
        p_value: share of normal observations that are as unusual; None if unknown.
        score: -log10 of the p-value.
        causes: feature or metric → share in the cause; for alarms only.
        verdict: empty, ``missing``, ``duplicate``, ``late``, ``clock`` or ``relearned``.
    """

    entity: str
    at: Time
    p_value: float | None
    score: float | None
    alarm: bool
    causes: dict[str, float]
    verdict: str


class Incident(msgspec.Struct, frozen=True):
    """Alarms that belong together; ``id`` is the same in every report of this incident."""

    id: str
    entity: str
    start: Time
    end: Time
    alarms: int
    p_value: float
    causes: dict[str, float]


class Detections(msgspec.Struct, frozen=True):
    """Detections in the order of the observations, and the incidents that they belong to."""

    detector: str
    model: str
    detections: list[Detection]
    incidents: list[Incident]
    note: str | None = None
