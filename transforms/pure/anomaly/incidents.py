"""Near alarms are one incident: of one entity, until nothing was said for a while."""

from collections.abc import Iterable
from dataclasses import dataclass, field

MINUTE = 60_000_000
MOST_OPEN = 100_000
"""Entities whose newest incident is kept; the oldest is let go beyond."""


@dataclass(frozen=True)
class Alarm:
    """One alarm.

    Attributes:
        entity: whose.
        at: microseconds since 1970.
        score: how unusual.
        p_value: share of normal values that are as unusual.
        causes: feature → its share, the largest first.
    """

    entity: str
    at: int
    score: float
    p_value: float
    causes: dict[str, float]


@dataclass
class Incident:
    """Alarms that belong together.

    Attributes:
        entity: whose.
        start: of the first alarm, microseconds since 1970.
        end: of the last.
        alarms: how many.
        worst: the highest score.
        p_value: the lowest.
        causes: feature → its largest share in any of them, the largest first.
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
        """The same for every telling of this incident."""
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
    """Alarms as they come, merged.

    Args:
        gap: alarms of one entity no more than so many microseconds apart are one incident.
    """

    def __init__(self, gap: int = 30 * MINUTE) -> None:
        self._gap, self._open = gap, dict[str, Incident]()

    @property
    def open(self) -> list[Incident]:
        """The newest incident of every entity."""
        return list(self._open.values())

    def resume(self, incidents: Iterable[Incident]) -> None:
        """Go on from these."""
        self._open = {one.entity: one for one in incidents}

    def take(self, alarm: Alarm) -> tuple[Incident, bool]:
        """The incident that an alarm belongs to, and whether it is new."""
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
    """Incidents, oldest first: alarms of one entity no more than ``gap`` microseconds apart are one.

    >>> found = merge([Alarm("web-1", minute * MINUTE, 5.0, 1e-6, {"cpu": 1.0}) for minute in (0, 10, 90)])
    >>> [(incident.start // MINUTE, incident.alarms) for incident in found]
    [(0, 2), (90, 1)]
    """
    log = IncidentLog(gap)
    taken = [log.take(alarm) for alarm in sorted(alarms, key=lambda one: (one.at, one.entity))]
    return [incident for incident, new in taken if new]
