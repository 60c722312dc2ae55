"""Merging of alarms into incidents: alarms of one entity that are close in time."""

from collections.abc import Iterable
from dataclasses import dataclass, field

MINUTE = 60_000_000
MOST_OPEN = 100_000
"""Most entities whose newest incident is kept; beyond, the oldest is dropped."""


@dataclass(frozen=True)
class Alarm:
    """One alarm.

    Attributes:
        entity: entity of the value.
        at: event time in microseconds since 1970.
        score: anomaly score.
        p_value: share of normal values that are at least as unusual.
        causes: feature → share of the score, the largest first.
    """

    entity: str
    at: int
    score: float
    p_value: float
    causes: dict[str, float]


@dataclass
class Incident:
    """Alarms of one entity that are close in time.

    Attributes:
        entity: entity of the alarms.
        start: time of the first alarm in microseconds since 1970.
        end: time of the last alarm in microseconds since 1970.
        alarms: number of alarms.
        worst: highest score.
        p_value: lowest p-value.
        causes: feature → largest share in any of the alarms, the largest first.
    """

    entity: str
    start: int
    end: int
    alarms: int = 0
    worst: float = 0.0
    p_value: float = 1.0
    causes: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Identifier of the incident; the same in all its reports."""
        return f"{self.entity}@{self.start}"

    def take(self, alarm: Alarm) -> None:
        """Add an alarm."""
        self.end = max(self.end, alarm.at)
        self.alarms += 1
        self.worst, self.p_value = max(self.worst, alarm.score), min(self.p_value, alarm.p_value)
        for name, share in alarm.causes.items():
            self.causes[name] = max(share, self.causes.get(name, 0.0))
        self.causes = dict(sorted(self.causes.items(), key=lambda item: -item[1]))


class IncidentLog:
    """Merges alarms into incidents as they arrive.

    Args:
        gap: largest distance in microseconds between alarms of one incident.
    """

    def __init__(self, gap: int = 30 * MINUTE) -> None:
        self._gap, self._open = gap, dict[str, Incident]()

    @property
    def open(self) -> list[Incident]:
        """The newest incident of every entity."""
        return list(self._open.values())

    def resume(self, incidents: Iterable[Incident]) -> None:
        """Continue from the given open incidents."""
        self._open = {incident.entity: incident for incident in incidents}

    def take(self, alarm: Alarm) -> tuple[Incident, bool]:
        """Add an alarm to its incident; returns the incident and whether it is new."""
        incident = self._open.get(alarm.entity)
        new = incident is None or alarm.at - incident.end > self._gap
        if new or incident is None:
            self._open.pop(alarm.entity, None)
            incident = self._open[alarm.entity] = Incident(alarm.entity, alarm.at, alarm.at)
            if len(self._open) > MOST_OPEN:
                del self._open[next(iter(self._open))]
        incident.take(alarm)
        return incident, new


def merge(alarms: Iterable[Alarm], gap: int = 30 * MINUTE) -> list[Incident]:
    """Merge alarms into incidents, oldest first; ``gap`` is the largest distance in microseconds within an incident.

    >>> incidents = merge([Alarm("web-1", minute * MINUTE, 5.0, 1e-6, {"cpu": 1.0}) for minute in (0, 10, 90)])
    >>> [(incident.start // MINUTE, incident.alarms) for incident in incidents]
    [(0, 2), (90, 1)]
    """
    log = IncidentLog(gap)
    additions = [log.take(alarm) for alarm in sorted(alarms, key=lambda alarm: (alarm.at, alarm.entity))]
    return [incident for incident, new in additions if new]
