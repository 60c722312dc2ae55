"""Metrics of alarms: how many incidents they found, how soon, and how often they were wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.pure.anomaly.incidents import Incident

MINUTE = 60_000_000
WEEK = 7 * 1_440 * MINUTE
SOON = 5 * MINUTE
AFTERMATH = 60 * MINUTE
"""Microseconds after an incident in which an alarm still belongs to it, because windows must run empty."""


@dataclass(frozen=True)
class IncidentMetrics:
    """Metrics of one kind of incident, or of all.

    Attributes:
        incidents: number of true incidents.
        found: share with an alarm from their start until the end of their aftermath.
        soon: share with an alarm within five minutes of their start.
        delay: median minutes from the start to the first alarm, of those found; NaN if none was.
        false_a_week: false incidents per entity and week.
        entity_weeks: quiet time in entity weeks.
    """

    incidents: int
    found: float
    soon: float
    delay: float
    false_a_week: float
    entity_weeks: float


def incident_metrics(
    reported: Sequence[Incident], truth: pl.DataFrame, entity_weeks: float, aftermath: int = AFTERMATH
) -> dict[str, IncidentMetrics]:
    """Computes the metrics by kind, and for ``all``.

    Args:
        reported: incidents that the alarms were merged into.
        truth: ``entity_id``, ``kind``, ``start`` and ``end`` (microseconds), all within the observed span.
        entity_weeks: quiet time in entity weeks.
        aftermath: microseconds after an incident in which an alarm still belongs to it.
    """
    all_delays, false_incidents = delays(reported, truth, aftermath)
    false_a_week = false_incidents / max(entity_weeks, 1e-9)
    kinds = truth["kind"].to_numpy()
    delays_by_kind = {kind: all_delays[kinds == kind] for kind in truth["kind"].unique().sort()}
    return {
        kind: _metrics(kind_delays, false_a_week, entity_weeks)
        for kind, kind_delays in {**delays_by_kind, "all": all_delays}.items()
    }


def delays(reported: Sequence[Incident], truth: pl.DataFrame, aftermath: int = AFTERMATH) -> tuple[np.ndarray, int]:
    """Computes (n,) microseconds from the start of each true incident to its first alarm, inf if there is none.

    The second value is the number of reported incidents that match no true one.
    """
    first_delays = []
    by_entity: dict[str, list[Incident]] = {}
    for incident in reported:
        by_entity.setdefault(incident.entity, []).append(incident)
    matched: set[int] = set()
    for entity, start, end in truth.select("entity_id", "start", "end").iter_rows():
        first = np.inf
        for incident in by_entity.get(entity, ()):
            if incident.end >= start and incident.start <= end + aftermath:
                matched.add(id(incident))
                # an incident that was open before counts as an alarm at the start
                first = min(first, max(incident.start - start, 0))
        first_delays.append(first)
    return np.array(first_delays, np.float64), sum(id(incident) not in matched for incident in reported)


def quiet_weeks(truth: pl.DataFrame, span: tuple[int, int], entities: int, aftermath: int = AFTERMATH) -> float:
    """Computes the time in which an alarm is false: entity weeks outside of incidents and their aftermath.

    Args:
        truth: true incidents as in ``incident_metrics``.
        span: first and last observed microsecond.
        entities: number of entities.
        aftermath: microseconds as in ``incident_metrics``.
    """
    incident_us = 0
    for _, entity_incidents in truth.sort("start").group_by("entity_id", maintain_order=True):
        until = span[0]
        for start, end in entity_incidents.select("start", "end").iter_rows():
            low, high = max(start, until), min(end + aftermath, span[1])
            incident_us += max(high - low, 0)
            until = max(until, high)
    return max(entities * (span[1] - span[0]) - incident_us, 0) / WEEK


def _metrics(delays: np.ndarray, false_a_week: float, entity_weeks: float) -> IncidentMetrics:
    is_found = np.isfinite(delays)
    if not len(delays):
        return IncidentMetrics(0, float("nan"), float("nan"), float("nan"), false_a_week, entity_weeks)
    return IncidentMetrics(
        incidents=len(delays),
        found=float(is_found.mean()),
        soon=float((delays <= SOON).mean()),
        delay=float(np.median(delays[is_found]) / MINUTE) if is_found.any() else float("nan"),
        false_a_week=false_a_week,
        entity_weeks=entity_weeks,
    )
