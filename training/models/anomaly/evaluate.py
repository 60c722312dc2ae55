"""Evaluates a detector: its scores become alarms, these become incidents, compared with the labelled ones."""

import numpy as np
import polars as pl

from training.evaluate.incidents import WEEK, IncidentMetrics, delays, incident_metrics, quiet_weeks
from training.models.anomaly.detector import Detector
from training.models.anomaly.scores import Scores, arrays_of
from training.models.anomaly.threshold import alarms
from training.validation.evidence import MODEL_KEY, Evidence
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.incidents import Incident, merge


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
) -> Evidence | None:
    """Return whether each true incident was found, by the detector and by the largest deviation alone."""
    if not true_incidents.height:
        return None
    found_by_method = {
        method: np.isfinite(delays(incidents, true_incidents, detector.aftermath)[0]).astype(float)
        for method, incidents in ((MODEL_KEY, reported_incidents), ("largest_deviation", baseline_incidents))
    }
    names = [
        f"{entity}|{kind}|{start}"
        for entity, kind, start in true_incidents.select("entity_id", "kind", "start").iter_rows()
    ]
    return Evidence.of(
        "found", names, found_by_method, higher_is_better=True, segments={"kind": true_incidents["kind"].to_list()}
    )
