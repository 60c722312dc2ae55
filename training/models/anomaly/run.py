"""Trains one anomaly detector: from features to a registered bundle.

The span of its rows is split by time. Normal behaviour is fitted on the share up to ``FIT``, calibrated on the share
from there to ``CALIBRATE``, and measured once on the rest. Rows within labelled incidents never count as normal.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.manifest import load_service
from training.bundle import BundleManifest, write_bundle
from training.clock import Clock
from training.datasets import Sample, training_set
from training.datasets.columns import to_numpy
from training.datasets.consent import Permission
from training.datasets.history import of_kept_history
from training.datasets.telemetry import incidents
from training.evaluate.incidents import IncidentMetrics
from training.models.anomaly.detector import Detector
from training.models.anomaly.drift import measure_drift
from training.models.anomaly.evaluate import count_entity_weeks, evidence_of_incidents, measure, merge_alarms
from training.models.anomaly.fit_rows import fit_rows
from training.models.anomaly.result import AnomalyResult, card
from training.models.anomaly.scores import (
    Scores,
    arrays_of,
    number_entities,
    rows_in_incidents,
    score_metrics,
    score_rows,
    take_rows,
)
from training.models.anomaly.supervised import FEWEST, calibrated, fit_head
from training.models.anomaly.threshold import choose
from training.registry import register
from training.validation.evidence import Evidence
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.calibration import Calibration
from transforms.pure.anomaly.rows import RowDetector

FIT, CALIBRATE = 0.45, 0.6
MOST_FIT = 30_000
"""Maximum number of rows in the fit, drawn at random."""
BUDGET = 1.0
"""Target of the thresholds: false incidents per entity and week."""
NEAREST = 4.0
"""Standard deviations; below these, a single feature raises no alarm."""
LOWEST, RARE = 2.0, 3.0
"""Lower bounds of the threshold on -log10 p. ``LOWEST``: what happens to one normal row in a hundred raises no alarm.
``RARE``, for entities that occur once, such as masters: one in a thousand.
"""


def run(home: Home, detector: Detector, *, progress: Progress = silent, seed: int = 0) -> AnomalyResult:
    """Fit, choose the thresholds, measure, register; see the module's docstring.

    Raises:
        InputError: there are no rows, or too few normal ones.
    """
    clock = Clock(progress, 5)
    spine = _spine(home, detector)
    if spine.height < 2:
        raise InputError(
            expected=f"rows for {detector.service}",
            found=str(spine.height),
            next_command="refrain simulate-telemetry && refrain build",
        )
    labelled_incidents = incidents(home, detector.key)
    times = spine["event_timestamp"].dt.timestamp("us").to_numpy()
    entities = spine[detector.key].to_numpy()
    span = int(times.min()), int(times.max()) + 1
    fit_end, test_start = (int(span[0] + share * (span[1] - span[0])) for share in (FIT, CALIBRATE))
    normal = ~rows_in_incidents(labelled_incidents, entities, times, detector.aftermath)
    pulled = training_set(detector.service, spine, home=home)
    features = columns(pulled.data, [detector.key, "event_timestamp"])
    clock.lap("features")

    rng = np.random.default_rng(seed)
    fit_positions = np.flatnonzero(normal & (times < fit_end))
    if len(fit_positions) > MOST_FIT:
        fit_positions = np.sort(rng.choice(fit_positions, MOST_FIT, replace=False))
    calibration_positions = np.flatnonzero(normal & (times >= fit_end) & (times < test_start))
    row_detector = fit_rows(take_rows(features, fit_positions), take_rows(features, calibration_positions), seed=seed)
    head = _fit_supervised_head(
        row_detector,
        features,
        labelled_incidents,
        entities,
        times,
        fit_positions,
        calibration_positions,
        test_start,
        seed,
    )
    row_scores, deviations = score_rows(row_detector, head, features, len(times))
    entity_numbers = number_entities(entities)
    row_scored = Scores(entity_numbers, entities, times, row_scores, normal)
    deviation_scored = Scores(entity_numbers, entities, times, deviations, normal)
    clock.lap("rows")

    scores_by_kind = score_metrics(home, detector, labelled_incidents, fit_end, test_start)
    scored_metrics = [
        (kind_scores, metric_scored)
        for kind_scores in scores_by_kind.values()
        for metric_scored in kind_scores.scored.values()
    ]
    clock.lap("series")

    entity_weeks = count_entity_weeks(detector, spine, (fit_end, test_start))
    allowed_incidents = BUDGET * entity_weeks / (3 if scored_metrics else 2)

    def choose_policy(
        scores: Scores, policy: AlarmPolicy, most_incidents: float, lowest: float, heavy: bool = False
    ) -> AlarmPolicy:
        calibration_arrays = arrays_of(scores.between(fit_end, test_start, normal=True))
        return choose(policy, *calibration_arrays, most=most_incidents, gap=detector.gap, lowest=lowest, heavy=heavy)

    policies = [
        choose_policy(row_scored, detector.policy, allowed_incidents, LOWEST if detector.every_entity else RARE),
        choose_policy(deviation_scored, detector.policy, allowed_incidents, NEAREST, heavy=True),
        *(
            choose_policy(
                metric_scored,
                kind_scores.policy,
                allowed_incidents / len(scored_metrics),
                kind_scores.policy.threshold,
            )
            for kind_scores, metric_scored in scored_metrics
        ),
    ]
    parts = [row_scored, deviation_scored, *(metric_scored for _, metric_scored in scored_metrics)]
    test_span = (test_start, span[1])
    metrics = measure(detector, parts, policies, labelled_incidents, spine, test_span)
    deviation_policy = choose_policy(deviation_scored, detector.policy, BUDGET * entity_weeks, NEAREST, heavy=True)
    baseline = measure(detector, [deviation_scored], [deviation_policy], labelled_incidents, spine, test_span)
    reported_incidents, true_incidents = merge_alarms(detector, parts, policies, labelled_incidents, test_span)
    evidence = evidence_of_incidents(
        detector,
        true_incidents,
        reported_incidents,
        merge_alarms(detector, [deviation_scored], [deviation_policy], labelled_incidents, test_span)[0],
        spine.filter(pl.col("event_timestamp").dt.timestamp("us") >= test_start)[detector.key]
        .unique()
        .sort()
        .to_list(),
        test_span,
    )
    clock.lap("test")

    extra: dict[str, Any] = {
        "key": detector.key,
        "policy": asdict(policies[0]),
        "deviation": asdict(policies[1]),
        "gap": detector.gap,
        "aftermath": detector.aftermath,
        "budget": BUDGET,
        "false_alarm_rate": float(10 ** -policies[0].threshold),
        "head": None if head is None else head[1].as_json(),
    }
    thresholds = iter(policies[2:])
    for name, kind_scores in scores_by_kind.items():
        extra[name] = kind_scores.as_json({metric: next(thresholds).threshold for metric in kind_scores.scored})
    files = {"rows.npz": row_detector.to_bytes()} | ({"head.onnx": head[0]} if head else {})
    version = _register(
        home, detector, files, row_detector, Sample.of(pulled), metrics, baseline, extra, fit_end, evidence
    )
    clock.lap("registration")
    drift = measure_drift(row_detector, take_rows(features, np.flatnonzero(normal & (times >= test_start))))
    return AnomalyResult(detector.name, version, spine.height, metrics, baseline, clock.seconds, drift)


def _spine(home: Home, detector: Detector) -> pl.DataFrame:
    """The rows that may be learned from: within whole windows, and of people who permit it."""
    moments = of_kept_history(home, detector.service, detector.moments(home))
    if moments.is_empty():
        return moments
    return Permission.of(home, load_service(home, detector.service).purpose).rows(moments)


def columns(data: pl.DataFrame, keys: list[str]) -> dict[str, np.ndarray]:
    """Return the features for the row detector, without lists and columns of nulls."""
    return {
        column.name: to_numpy(column)
        for column in data.drop(keys)
        if not isinstance(column.dtype, pl.List) and column.null_count() < len(column)
    }


def _fit_supervised_head(
    row_detector: RowDetector,
    features: Mapping[str, np.ndarray],
    labelled_incidents: pl.DataFrame,
    entities: np.ndarray,
    times: np.ndarray,
    fit_positions: np.ndarray,
    calibration_positions: np.ndarray,
    cutoff: int,
    seed: int,
) -> tuple[bytes, Calibration] | None:
    """Fit a head to incidents labelled before the test; return it with its calibration, or None if too few."""
    known_incidents = labelled_incidents.filter((pl.col("known") < cutoff) & (pl.col("start") < cutoff))
    if known_incidents.height < FEWEST:
        return None
    positive_positions = np.flatnonzero(rows_in_incidents(known_incidents, entities, times, 0) & (times < cutoff))
    if not len(positive_positions):
        return None
    positions = np.concatenate([fit_positions, positive_positions])
    matrix = row_detector.columns.encode(take_rows(features, positions))
    content = fit_head(matrix, np.arange(len(positions)) >= len(fit_positions), seed)
    return content, calibrated(content, row_detector.columns.encode(take_rows(features, calibration_positions)))


def _register(
    home: Home,
    detector: Detector,
    files: dict[str, bytes],
    row_detector: RowDetector,
    pulled: Sample,
    metrics: Mapping[str, IncidentMetrics],
    baseline: Mapping[str, IncidentMetrics],
    extra: dict[str, Any],
    cutoff: int,
    evidence: Evidence | None,
) -> int:
    figures = {
        f"{kind}/{method}": {name: float(value) for name, value in asdict(kind_metrics).items() if np.isfinite(value)}
        for method, by_kind in (("detector", metrics), ("largest_deviation", baseline))
        for kind, kind_metrics in by_kind.items()
    }
    cutoff_iso = str(pl.Series([cutoff]).cast(pl.Datetime("us", "UTC"))[0].isoformat())

    def write(folder: Path, version: int) -> BundleManifest:
        readme = card(detector, version, metrics, baseline, cutoff_iso)
        return write_bundle(
            folder,
            {**files, "README.md": readme.encode()},
            {
                "name": detector.name,
                "version": version,
                "family": "anomaly",
                "feature_service": pulled.service,
                "fingerprint": pulled.manifest["fingerprint"],
                "inputs": [(name, "float64") for name in row_detector.columns.names],
                "outputs": [("p_value", "float64")],
                "metrics": figures,
                "training_set": pulled.manifest["digest"],
                "cutoff": cutoff_iso,
                "extra": extra,
            },
        )

    logged = {
        f"test_{name}_{what}": value for what, kind_metrics in figures.items() for name, value in kind_metrics.items()
    }
    return register(
        home,
        detector.name,
        parameters={"budget": BUDGET, **extra["policy"]},
        metrics=logged,
        write=write,
        evidence=evidence,
        training_sets=[pulled],
    )
