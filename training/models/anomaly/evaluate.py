"""Evaluates a detector: its scores become alarms, these become incidents, compared with the labelled ones."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from training.evaluate.incidents import WEEK, IncidentMetrics, delays, incident_metrics, quiet_weeks
from training.models.anomaly.detector import Detector
from training.models.anomaly.scores import Scores, arrays_of
from training.models.anomaly.threshold import alarms
from training.validation.evidence import MODEL_KEY, Evidence
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.incidents import Incident, merge

RANDOM_ALARMS = "random_alarms"
"""Name of the baseline that reports as many incidents, as long, of random entities at random times."""
SHIFTS = 50
"""Number of random placements of the reported incidents."""


def measure(
    detector: Detector,
    parts: list[Scores],
    policies: list[AlarmPolicy],
    labelled_incidents: pl.DataFrame,
    spine: pl.DataFrame,
    span: tuple[int, int],
) -> dict[str, IncidentMetrics]:
    """Return the figures of the incidents within a span: kind of incident → figures."""
    reported_incidents, true_incidents = merge_alarms(detector, parts, policies, labelled_incidents, span)
    entity_weeks = count_entity_weeks(detector, spine, span)
    if detector.every_entity:
        entity_weeks = quiet_weeks(labelled_incidents, span, spine[detector.key].n_unique(), detector.aftermath)
    return incident_metrics(reported_incidents, true_incidents, entity_weeks, detector.aftermath)


def merge_alarms(
    detector: Detector,
    parts: list[Scores],
    policies: list[AlarmPolicy],
    labelled_incidents: pl.DataFrame,
    span: tuple[int, int],
) -> tuple[list[Incident], pl.DataFrame]:
    """Return the incidents merged from alarms, and the labelled incidents that began within the span."""
    raised_alarms = [
        alarm
        for part, policy in zip(parts, policies, strict=True)
        for alarm in alarms(policy, *arrays_of(part.between(*span)))
    ]
    true_incidents = labelled_incidents.filter((pl.col("start") >= span[0]) & (pl.col("start") < span[1]))
    return merge(raised_alarms, detector.gap), true_incidents


def count_entity_weeks(detector: Detector, spine: pl.DataFrame, span: tuple[int, int]) -> float:
    """Return the weeks in a span, once for each entity, or once for the whole service; see ``Detector``."""
    entities = spine[detector.key].n_unique() if detector.every_entity else 1
    return entities * (span[1] - span[0]) / WEEK


def evidence_of_incidents(
    detector: Detector,
    true_incidents: pl.DataFrame,
    reported_incidents: list[Incident],
    baseline_incidents: list[Incident],
    entities: Sequence[str],
    span: tuple[int, int],
) -> Evidence | None:
    """Return whether each true incident was found: by the detector, the largest deviation alone, and random alarms.

    Args:
        detector: declaration of the detector.
        true_incidents: labelled incidents of the test.
        reported_incidents: incidents that the detector reports in the test.
        baseline_incidents: incidents by the largest deviation alone.
        entities: all entities of the test.
        span: first and last moment of the test, in microseconds.
    """
    if not true_incidents.height:
        return None
    hits_by_method = {
        method: np.isfinite(delays(incidents, true_incidents, detector.aftermath)[0]).astype(float)
        for method, incidents in ((MODEL_KEY, reported_incidents), ("largest_deviation", baseline_incidents))
    }
    hits_by_method[RANDOM_ALARMS] = _found_at_random(detector, true_incidents, reported_incidents, entities, span)
    names = [
        f"{entity}|{kind}|{start}"
        for entity, kind, start in true_incidents.select("entity_id", "kind", "start").iter_rows()
    ]
    return Evidence.of(
        "found", names, hits_by_method, higher_is_better=True, segments={"kind": true_incidents["kind"].to_list()}
    )


def _found_at_random(
    detector: Detector,
    true_incidents: pl.DataFrame,
    reported_incidents: Sequence[Incident],
    entities: Sequence[str],
    span: tuple[int, int],
    seed: int = 0,
) -> np.ndarray:
    """Return the chance that each true incident is found by the reported ones at random times, of random entities."""
    rng = np.random.default_rng(seed)
    hits = np.zeros(true_incidents.height)
    for _ in range(SHIFTS):
        starts = rng.integers(*span, len(reported_incidents))
        owners = rng.integers(0, len(entities), len(reported_incidents))
        placed = [
            replace(incident, entity=entities[owner], start=int(start), end=int(start) + incident.end - incident.start)
            for incident, start, owner in zip(reported_incidents, starts, owners, strict=True)
        ]
        hits += np.isfinite(delays(placed, true_incidents, detector.aftermath)[0])
    return hits / SHIFTS
