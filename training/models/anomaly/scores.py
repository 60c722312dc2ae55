"""Scores the history of a detector: every row, and every metric against its own past."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from feature_repo.home import Home
from training.models.anomaly.detector import Detector, metrics_of
from training.models.lightgbm_onnx import OnnxBooster
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.calibration import Calibration, both
from transforms.pure.anomaly.counts import CountDetector
from transforms.pure.anomaly.many import ManySeries
from transforms.pure.anomaly.rows import RowDetector
from transforms.pure.anomaly.series import SeriesDetector, SeriesSettings

CHUNK = 50_000


@dataclass(frozen=True)
class Scores:
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

    def between(self, low: int, high: int, normal: bool = False) -> "Scores":
        """Return the scores from ``low`` until before ``high``, only those of normal rows if ``normal``."""
        inside = (self.times >= low) & (self.times < high) & (self.normal if normal else True)
        return Scores(*(array[inside] for array in vars(self).values()))


@dataclass(frozen=True)
class MetricScores:
    """Scores of all metrics by one kind of time series detector.

    Attributes:
        scored: metric → its scores for every entity.
        scales: metric → calibration of its scores.
        policy: when scores become alarms, apart from the thresholds, which are chosen later.
        settings: settings of the series detector.
    """

    scored: dict[str, Scores]
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


def score_rows(
    row_detector: RowDetector, head: tuple[bytes, Calibration] | None, features: Mapping[str, np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return (n,) -log10 p of the rows, and (n,) deviation of the most extreme feature of each row."""
    p_values, deviation = np.empty(count), np.empty(count)
    booster = OnnxBooster(head[0]) if head else None
    for low in range(0, count, CHUNK):
        chunk = slice(low, low + CHUNK)
        chunk_features = take_rows(features, chunk)
        row_scores = row_detector.score(chunk_features)
        p_values[chunk], deviation[chunk] = row_scores.p_value, row_scores.deviation
        if booster and head:
            head_p_value = head[1].p_value(booster.predict(row_detector.columns.encode(chunk_features)))
            p_values[chunk] = both(p_values[chunk], head_p_value)
    return -np.log10(p_values), deviation


def score_metrics(
    home: Home, detector: Detector, labelled_incidents: pl.DataFrame, fit_end: int, test_start: int
) -> dict[str, MetricScores]:
    """Score each metric against its own past, by every kind of series detector, in one pass through time."""
    if detector.points is None:
        return {}
    points = detector.points(home)
    series_detectors: dict[str, tuple[ManySeries[Any], Sequence[str]]] = {
        "series": (SeriesDetector(SeriesSettings(recall=False)), metrics_of(points, detector.key)),
        "counts": (CountDetector(), detector.counts),
    }
    entities = points[detector.key].to_numpy()
    times = points["event_timestamp"].dt.timestamp("us").to_numpy()
    series_prefixes = np.array([f"{entity}/" for entity in entities], object)
    normal = ~rows_in_incidents(labelled_incidents, entities, times, detector.aftermath)
    entity_numbers = number_entities(entities)
    scores_by_kind: dict[str, MetricScores] = {}
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
            metric: Scores(entity_numbers, entities, times, score, normal)
            for metric, score in zip(metrics, replayed.score.reshape(len(metrics), -1), strict=True)
        }
        scales = {
            metric: Calibration.fit(metric_scored.between(fit_end, test_start, normal=True).scores)
            for metric, metric_scored in scored.items()
        }
        scores_by_kind[kind] = MetricScores(scored, scales, series_detector.policy, asdict(series_detector.settings))
    return scores_by_kind


def rows_in_incidents(
    labelled_incidents: pl.DataFrame, entities: np.ndarray, times: np.ndarray, aftermath: int
) -> np.ndarray:
    """Return (n,) whether each row lies in a labelled incident of its entity, or in the aftermath of one."""
    in_incident = np.zeros(len(times), bool)
    for entity, start, end in labelled_incidents.select("entity_id", "start", "end").iter_rows():
        in_incident |= (entities == entity) & (times >= start) & (times <= min(end + aftermath, np.iinfo(np.int64).max))
    return in_incident


def arrays_of(scored: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the series, entities, times and scores: the arguments of ``threshold.choose`` and ``alarms``."""
    return scored.series, scored.entities, scored.times, scored.scores


def take_rows(features: Mapping[str, np.ndarray], rows: np.ndarray | slice) -> dict[str, np.ndarray]:
    """Return the given rows of every feature."""
    return {name: values[rows] for name, values in features.items()}


def number_entities(entities: np.ndarray) -> np.ndarray:
    """Return (n,) the number of each row's entity among the distinct entities."""
    return np.unique(entities.astype(str), return_inverse=True)[1]
