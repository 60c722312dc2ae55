"""How good alarms are: which incidents they found, how soon, and how often they were wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.pure.anomaly.incidents import Incident

MINUTE = 60_000_000
WEEK = 7 * 1_440 * MINUTE
SOON = 5 * MINUTE
AFTERMATH = 60 * MINUTE
"""So soon after an incident an alarm is still about it: windows have to run empty."""


@dataclass(frozen=True)
class IncidentMetrics:
    """Of one kind of incident, or of all.

    Attributes:
        incidents: how many there were.
        found: share with an alarm from their start until the end of their aftermath.
        soon: share with an alarm within five minutes of their start.
        delay: median minutes from the start to the first alarm, of those found; NaN if none was.
        false_a_week: incidents that were none, by entity and week.
        entity_weeks: how long nothing was wrong, times with how many.
    """

    incidents: int
    found: float
    soon: float
    delay: float
    false_a_week: float
    entity_weeks: float


def incident_metrics(
    told: Sequence[Incident], truth: pl.DataFrame, entity_weeks: float, aftermath: int = AFTERMATH
) -> dict[str, IncidentMetrics]:
    """Figures by kind, and under ``all``.

    Args:
        told: what alarms were merged to.
        truth: ``entity_id``, ``kind``, ``start`` and ``end`` (microseconds), all within what was looked at.
        entity_weeks: how long nothing was wrong, times with how many.
        aftermath: microseconds after an incident in which an alarm is still about it.
    """
    every, false_incidents = delays(told, truth, aftermath)
    false = false_incidents / max(entity_weeks, 1e-9)
    kinds = truth["kind"].to_numpy()
    found = {kind: every[kinds == kind] for kind in truth["kind"].unique().sort()}
    return {kind: _metrics(some, false, entity_weeks) for kind, some in {**found, "all": every}.items()}


def delays(told: Sequence[Incident], truth: pl.DataFrame, aftermath: int = AFTERMATH) -> tuple[np.ndarray, int]:
    """(n,) microseconds from the start of each true incident to the first alarm, inf if there was none; and how many
    of the told ones were about none of them."""
    found = []
    by_entity: dict[str, list[Incident]] = {}
    for incident in told:
        by_entity.setdefault(incident.entity, []).append(incident)
    explained: set[int] = set()
    for entity, start, end in truth.select("entity_id", "start", "end").iter_rows():
        first = np.inf
        for incident in by_entity.get(entity, ()):
            if incident.end >= start and incident.start <= end + aftermath:
                explained.add(id(incident))
                # an incident that was open before has spoken already
                first = min(first, max(incident.start - start, 0))
        found.append(first)
    return np.array(found, np.float64), sum(id(incident) not in explained for incident in told)


def quiet_weeks(truth: pl.DataFrame, span: tuple[int, int], entities: int, aftermath: int = AFTERMATH) -> float:
    """Entities times weeks in which none of their incidents, nor its aftermath, was on: where an alarm is false.

    Args:
        truth: as in ``incident_metrics``.
        span: what was looked at, microseconds.
        entities: how many there are.
        aftermath: as in ``incident_metrics``.
    """
    busy = 0
    for _, own in truth.sort("start").group_by("entity_id", maintain_order=True):
        until = span[0]
        for start, end in own.select("start", "end").iter_rows():
            low, high = max(start, until), min(end + aftermath, span[1])
            busy += max(high - low, 0)
            until = max(until, high)
    return max(entities * (span[1] - span[0]) - busy, 0) / WEEK


def _metrics(delays: np.ndarray, false: float, entity_weeks: float) -> IncidentMetrics:
    found = np.isfinite(delays)
    if not len(delays):
        return IncidentMetrics(0, float("nan"), float("nan"), float("nan"), false, entity_weeks)
    return IncidentMetrics(
        incidents=len(delays),
        found=float(found.mean()),
        soon=float((delays <= SOON).mean()),
        delay=float(np.median(delays[found]) / MINUTE) if found.any() else float("nan"),
        false_a_week=false,
        entity_weeks=entity_weeks,
    )
