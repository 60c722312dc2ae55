"""Trains one anomaly detector: from features to a registered bundle.

The span of its rows is split by time. Normal behaviour is fitted on the share up to ``FIT``, calibrated on the share
from there to ``CALIBRATE``, and measured once on the rest. Rows within labelled incidents never count as normal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from feature_repo.command_line import Progress, silent
from feature_repo.errors import InputError
from feature_repo.home import Home
from training.bundle import BundleManifest, write_bundle
from training.clock import Clock
from training.datasets import Sample, training_set
from training.datasets.columns import to_numpy
from training.datasets.telemetry import incidents
from training.evaluate.incidents import WEEK, IncidentMetrics, delays, incident_metrics, quiet_weeks
from training.models.anomaly.detector import Detector, metrics_of
from training.models.anomaly.fit_rows import fit_rows
from training.models.anomaly.result import AnomalyResult, card
from training.models.anomaly.supervised import FEWEST, calibrated, fit_head
from training.models.anomaly.threshold import alarms, choose
from training.models.lightgbm_onnx import OnnxBooster
from training.registry import register
from training.validation.evidence import MODEL_KEY, Evidence
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.calibration import Calibration, both
from transforms.pure.anomaly.counts import CountDetector
from transforms.pure.anomaly.incidents import Incident, merge
from transforms.pure.anomaly.many import ManySeries
from transforms.pure.anomaly.rows import RowDetector
from transforms.pure.anomaly.series import SeriesDetector

FIT, CALIBRATE = 0.45, 0.6
MOST_FIT = 30_000
"""Maximum number of rows in the fit, drawn at random."""
BUDGET = 1.0
"""Target of the thresholds: false incidents per entity and week."""
NEAREST = 4.0
"""Standard deviations; below these, a single feature raises no alarm."""
CHUNK = 50_000
LOWEST, RARE = 2.0, 3.0
"""Lower bounds of the threshold on -log10 p. ``LOWEST``: what happens to one normal row in a hundred raises no alarm.
``RARE``, for entities that occur once, such as masters: one in a thousand.
"""


@dataclass(frozen=True)
class _Scored:
    """Scores of one kind, one per row or point.

    Attributes:
        series: (n,) number of the series of each score; an alarm silences only its own series.
        entities: (n,) entity of each score.
        times: (n,) event times in microseconds.
        scores: (n,) the scores.
        normal: (n,) whether the row is outside every labelled incident and its aftermath.
    """

    series: np.ndarray
    entities: np.ndarray
    times: np.ndarray
    scores: np.ndarray
    normal: np.ndarray

    def between(self, low: int, high: int, normal: bool = False) -> "_Scored":
        inside = (self.times >= low) & (self.times < high) & (self.normal if normal else True)
        return _Scored(*(array[inside] for array in vars(self).values()))


@dataclass(frozen=True)
class _MetricScores:
    """Scores of all metrics by one kind of time series detector.

    Attributes:
        scored: metric → its scores for every entity.
        scales: metric → calibration of its scores.
        policy: when scores become alarms, apart from the thresholds, which are chosen later.
        settings: settings of the series detector.
    """

    scored: dict[str, _Scored]
    scales: dict[str, Calibration]
    policy: AlarmPolicy
    settings: dict[str, Any]

    def as_json(self, thresholds: Mapping[str, float]) -> dict[str, Any]:
        """Return the JSON object for the bundle's manifest."""
        return {
            "settings": self.settings,
            "policy": asdict(self.policy),
            "thresholds": dict(thresholds),
            "calibration": {metric: scale.as_json() for metric, scale in self.scales.items()},
        }


def run(home: Home, detector: Detector, *, progress: Progress = silent, seed: int = 0) -> AnomalyResult:
    """Fit, choose the thresholds, measure, register; see the module's docstring.

    Raises:
        InputError: there are no rows, or too few normal ones.
    """
    clock = Clock(progress, 5)
    spine = detector.moments(home)
    if spine.height < 2:
        raise InputError(
            expected=f"rows for {detector.service}",
            found=str(spine.height),
            next_command="python -m transforms simulate-telemetry && python -m transforms build",
        )
    labelled_incidents = incidents(home, detector.key)
    times = spine["event_timestamp"].dt.timestamp("us").to_numpy()
    entities = spine[detector.key].to_numpy()
    span = int(times.min()), int(times.max()) + 1
    fit_end, test_start = (int(span[0] + share * (span[1] - span[0])) for share in (FIT, CALIBRATE))
    normal = ~_in_incident(labelled_incidents, entities, times, detector.aftermath)
    pulled = training_set(detector.service, spine, home=home)
    features = columns(pulled.data, [detector.key, "event_timestamp"])
    clock.lap("features")

    rng = np.random.default_rng(seed)
    fit_positions = np.flatnonzero(normal & (times < fit_end))
    if len(fit_positions) > MOST_FIT:
        fit_positions = np.sort(rng.choice(fit_positions, MOST_FIT, replace=False))
    calibration_positions = np.flatnonzero(normal & (times >= fit_end) & (times < test_start))
    row_detector = fit_rows(_take_rows(features, fit_positions), _take_rows(features, calibration_positions), seed=seed)
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
    row_scores, deviations = _score_rows(row_detector, head, features, len(times))
    entity_numbers = _entity_numbers(entities)
    row_scored = _Scored(entity_numbers, entities, times, row_scores, normal)
    deviation_scored = _Scored(entity_numbers, entities, times, deviations, normal)
    clock.lap("rows")

    scores_by_kind = _score_metrics(home, detector, labelled_incidents, fit_end, test_start)
    scored_metrics = [
        (kind_scores, metric_scored)
        for kind_scores in scores_by_kind.values()
        for metric_scored in kind_scores.scored.values()
    ]
    clock.lap("series")

    entity_weeks = _entity_weeks(detector, spine, (fit_end, test_start))
    allowed_incidents = BUDGET * entity_weeks / (3 if scored_metrics else 2)

    def choose_policy(
        scores: _Scored, policy: AlarmPolicy, most_incidents: float, lowest: float, heavy: bool = False
    ) -> AlarmPolicy:
        calibration_arrays = _arrays(scores.between(fit_end, test_start, normal=True))
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
    metrics = _measure(detector, parts, policies, labelled_incidents, spine, test_span)
    deviation_policy = choose_policy(deviation_scored, detector.policy, BUDGET * entity_weeks, NEAREST, heavy=True)
    baseline = _measure(detector, [deviation_scored], [deviation_policy], labelled_incidents, spine, test_span)
    reported_incidents, true_incidents = _merge_alarms(detector, parts, policies, labelled_incidents, test_span)
    evidence = _evidence(
        detector,
        true_incidents,
        reported_incidents,
        _merge_alarms(detector, [deviation_scored], [deviation_policy], labelled_incidents, test_span)[0],
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
    return AnomalyResult(detector.name, version, spine.height, metrics, baseline, clock.seconds)


def columns(data: pl.DataFrame, keys: list[str]) -> dict[str, np.ndarray]:
    """Return the features for the row detector, without lists and columns of nulls."""
    return {
        column.name: to_numpy(column)
        for column in data.drop(keys)
        if not isinstance(column.dtype, pl.List) and column.null_count() < len(column)
    }


def _take_rows(features: Mapping[str, np.ndarray], rows: np.ndarray | slice) -> dict[str, np.ndarray]:
    return {name: values[rows] for name, values in features.items()}


def _entity_numbers(entities: np.ndarray) -> np.ndarray:
    return np.unique(entities.astype(str), return_inverse=True)[1]


def _arrays(scored: _Scored) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return scored.series, scored.entities, scored.times, scored.scores


def _in_incident(
    labelled_incidents: pl.DataFrame, entities: np.ndarray, times: np.ndarray, aftermath: int
) -> np.ndarray:
    """Return (n,) whether each row lies in a labelled incident of its entity, or in the aftermath of one."""
    in_incident = np.zeros(len(times), bool)
    for entity, start, end in labelled_incidents.select("entity_id", "start", "end").iter_rows():
        in_incident |= (entities == entity) & (times >= start) & (times <= min(end + aftermath, np.iinfo(np.int64).max))
    return in_incident


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
    positive_positions = np.flatnonzero(_in_incident(known_incidents, entities, times, 0) & (times < cutoff))
    if not len(positive_positions):
        return None
    positions = np.concatenate([fit_positions, positive_positions])
    matrix = row_detector.columns.encode(_take_rows(features, positions))
    content = fit_head(matrix, np.arange(len(positions)) >= len(fit_positions), seed)
    return content, calibrated(content, row_detector.columns.encode(_take_rows(features, calibration_positions)))


def _score_rows(
    row_detector: RowDetector, head: tuple[bytes, Calibration] | None, features: Mapping[str, np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) -log10 p of the rows, and (n,) deviation of the most extreme feature of each row."""
    p_values, deviation = np.empty(count), np.empty(count)
    booster = OnnxBooster(head[0]) if head else None
    for low in range(0, count, CHUNK):
        chunk = slice(low, low + CHUNK)
        chunk_features = _take_rows(features, chunk)
        row_scores = row_detector.score(chunk_features)
        p_values[chunk], deviation[chunk] = row_scores.p_value, row_scores.deviation
        if booster and head:
            head_p_value = head[1].p_value(booster.predict(row_detector.columns.encode(chunk_features)))
            p_values[chunk] = both(p_values[chunk], head_p_value)
    return -np.log10(p_values), deviation


def _score_metrics(
    home: Home, detector: Detector, labelled_incidents: pl.DataFrame, fit_end: int, test_start: int
) -> dict[str, _MetricScores]:
    """Score each metric against its own past, by every kind of series detector, in one pass through time."""
    if detector.points is None:
        return {}
    points = detector.points(home)
    series_detectors: dict[str, tuple[ManySeries[Any], Sequence[str]]] = {
        "series": (SeriesDetector(), metrics_of(points, detector.key)),
        "counts": (CountDetector(), detector.counts),
    }
    entities = points[detector.key].to_numpy()
    times = points["event_timestamp"].dt.timestamp("us").to_numpy()
    series_prefixes = np.array([f"{entity}/" for entity in entities], object)
    normal = ~_in_incident(labelled_incidents, entities, times, detector.aftermath)
    entity_numbers = _entity_numbers(entities)
    scores_by_kind: dict[str, _MetricScores] = {}
    for kind, (series_detector, metrics) in series_detectors.items():
        if not metrics:
            continue
        values = points.select(pl.col(metric).cast(pl.Float64).fill_null(np.nan) for metric in metrics).to_numpy()
        replayed = series_detector.replay(
            np.concatenate([series_prefixes + metric for metric in metrics]).tolist(),
            np.tile(times, len(metrics)),
            values.T.reshape(-1),
        )
        scored = {
            metric: _Scored(entity_numbers, entities, times, score, normal)
            for metric, score in zip(metrics, replayed.score.reshape(len(metrics), -1), strict=True)
        }
        scales = {
            metric: Calibration.fit(metric_scored.between(fit_end, test_start, normal=True).scores)
            for metric, metric_scored in scored.items()
        }
        scores_by_kind[kind] = _MetricScores(scored, scales, series_detector.policy, asdict(series_detector.settings))
    return scores_by_kind


def _entity_weeks(detector: Detector, spine: pl.DataFrame, span: tuple[int, int]) -> float:
    entities = spine[detector.key].n_unique() if detector.every_entity else 1
    return entities * (span[1] - span[0]) / WEEK


def _measure(
    detector: Detector,
    parts: list[_Scored],
    policies: list[AlarmPolicy],
    labelled_incidents: pl.DataFrame,
    spine: pl.DataFrame,
    span: tuple[int, int],
) -> dict[str, IncidentMetrics]:
    reported_incidents, true_incidents = _merge_alarms(detector, parts, policies, labelled_incidents, span)
    entity_weeks = _entity_weeks(detector, spine, span)
    if detector.every_entity:
        entity_weeks = quiet_weeks(labelled_incidents, span, spine[detector.key].n_unique(), detector.aftermath)
    return incident_metrics(reported_incidents, true_incidents, entity_weeks, detector.aftermath)


def _merge_alarms(
    detector: Detector,
    parts: list[_Scored],
    policies: list[AlarmPolicy],
    labelled_incidents: pl.DataFrame,
    span: tuple[int, int],
) -> tuple[list[Incident], pl.DataFrame]:
    """Return the incidents merged from alarms, and the labelled incidents that began within the span."""
    raised_alarms = [
        alarm
        for part, policy in zip(parts, policies, strict=True)
        for alarm in alarms(policy, *_arrays(part.between(*span)))
    ]
    true_incidents = labelled_incidents.filter((pl.col("start") >= span[0]) & (pl.col("start") < span[1]))
    return merge(raised_alarms, detector.gap), true_incidents


def _evidence(
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
