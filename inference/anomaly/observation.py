"""What a detector takes and returns: observations, detections, and reports of incidents."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from transforms.pure.anomaly.incidents import Incident

MAX_CAUSES = 5
"""Maximum number of causes reported for one alarm."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Observation:
    """The measurements of one entity at one moment.

    Attributes:
        entity: key of the entity, such as a host_id.
        at: time of the measurement; UTC if it has no time zone.
        values: metric → number, and features of the model (``view__feature``) → value; None for missing. Features are
            used only if all of them are given; otherwise they are looked up online if ``at`` is recent. Leave it empty
            to score the features that are online.

    >>> Observation("host-01", datetime(2026, 1, 20, 10, tzinfo=UTC), {"cpu_permille": 990}).entity
    'host-01'
    """

    entity: str
    at: datetime
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Detection:
    """The result of scoring one observation.

    Attributes:
        entity: key of the observed entity.
        at: time of the observation.
        p_value: share of normal observations that are at least as unusual; None if nothing could be scored.
        score: -log10 of the p-value.
        alarm: whether the observation raised an alarm.
        causes: feature or metric → its share in the alarm, the largest first; empty without an alarm.
        verdict: the irregularity of the first metric that has one: "missing", "duplicate", "late", "clock" (set back)
            or "relearned"; "" for none.
    """

    entity: str
    at: datetime
    p_value: float | None
    score: float | None
    alarm: bool
    causes: dict[str, float]
    verdict: str


@dataclass(frozen=True)
class IncidentReport:
    """An incident: alarms of one entity that belong together.

    Attributes:
        id: identifier of the incident; it stays the same while the incident goes on.
        entity: key of the entity.
        start: time of the first alarm.
        end: time of the newest alarm.
        alarms: number of alarms.
        p_value: lowest p-value of the alarms.
        causes: feature or metric → its largest share in an alarm.
    """

    id: str
    entity: str
    start: datetime
    end: datetime
    alarms: int
    p_value: float
    causes: dict[str, float]


@dataclass(frozen=True)
class Detections:
    """The result of scoring a batch of observations.

    Attributes:
        detector: ``system``, ``performance``, ``user_behavior``, ``security`` or ``audio_quality``.
        model: name and version of the bundle; "untrained" without one.
        detections: one detection for each observation, in the order of the observations.
        incidents: incidents that these observations opened or continued, oldest first.
        note: why features were not scored; None if they were.
    """

    detector: str
    model: str
    detections: list[Detection]
    incidents: list[IncidentReport]
    note: str | None


def incident_report(incident: Incident) -> IncidentReport:
    """Convert an incident to the report of it."""
    causes = dict(list(incident.causes.items())[:MAX_CAUSES])
    start, end = _moment(incident.start), _moment(incident.end)
    return IncidentReport(incident.key, incident.entity, start, end, incident.alarms, incident.p_value, causes)


def microseconds_of(at: datetime) -> int:
    """Convert a time, UTC if it has no time zone, to microseconds since 1970."""
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
