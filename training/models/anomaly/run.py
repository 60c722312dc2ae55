"""One detector from features to a registered bundle.

The span of its rows is cut by time: what is normal is fitted on the first ``FIT`` of it, calibrated until
``CALIBRATE``, and measured on the rest, once. Rows within labelled incidents are never taken for normal.
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
from training.validation.evidence import OURS, Evidence
from transforms.pure.anomaly.alarms import AlarmPolicy
from transforms.pure.anomaly.calibration import Calibration, both
from transforms.pure.anomaly.counts import CountDetector
from transforms.pure.anomaly.incidents import Incident, merge
from transforms.pure.anomaly.many import ManySeries
from transforms.pure.anomaly.rows import RowDetector
from transforms.pure.anomaly.series import SeriesDetector

FIT, CALIBRATE = 0.45, 0.6
MOST_FIT = 30_000
"""Rows that are fitted to, drawn at random."""
BUDGET = 1.0
"""False incidents an entity and week that thresholds are chosen for."""
NEAREST = 4.0
"""Standard deviations; no feature alone wakes anybody below."""
CHUNK = 50_000
LOWEST, RARE = 2.0, 3.0
"""Of -log10 p: nobody is woken by what happens to one normal row in a hundred; of entities that are seen once, such as
masters, one in a thousand is looked at.
"""


@dataclass(frozen=True)
class _Scored:
    """Scores of one kind.

    Attributes:
        series: (n,) number of what an alarm silences.
        entities: (n,) whose they are.
        times: (n,) microseconds.
        scores: (n,).
        normal: (n,) whether no labelled incident is near.
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
class _Look:
    """What one way of looking at metrics says.

    Attributes:
        scored: metric → scores of it for every entity.
        scales: metric → their calibration.
        policy: when scores become alarms; the thresholds are chosen.
        settings: of the way.
    """

    scored: dict[str, _Scored]
    scales: dict[str, Calibration]
    policy: AlarmPolicy
    settings: dict[str, Any]

    def as_json(self, thresholds: Mapping[str, float]) -> dict[str, Any]:
        """For a bundle's manifest."""
        return {
            "settings": self.settings,
            "policy": asdict(self.policy),
            "thresholds": dict(thresholds),
            "calibration": {metric: one.as_json() for metric, one in self.scales.items()},
        }


def run(home: Home, detector: Detector, *, progress: Progress = silent, seed: int = 0) -> AnomalyResult:
    """Fit, choose the threshold, measure, register; see the module's docstring.

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
    truth = incidents(home, detector.key)
    times = spine["event_timestamp"].dt.timestamp("us").to_numpy()
    entities = spine[detector.key].to_numpy()
    span = int(times.min()), int(times.max()) + 1
    fit_end, test_start = (int(span[0] + share * (span[1] - span[0])) for share in (FIT, CALIBRATE))
    normal = ~_labelled(truth, entities, times, detector.aftermath)
    pulled = training_set(detector.service, spine, home=home)
    features = columns(pulled.data, [detector.key, "event_timestamp"])
    clock.lap("features")

    rng = np.random.default_rng(seed)
    fitted = np.flatnonzero(normal & (times < fit_end))
    if len(fitted) > MOST_FIT:
        fitted = np.sort(rng.choice(fitted, MOST_FIT, replace=False))
    held = np.flatnonzero(normal & (times >= fit_end) & (times < test_start))
    rows = fit_rows(_taken(features, fitted), _taken(features, held), seed=seed)
    head = _head(rows, features, truth, entities, times, fitted, held, test_start, seed)
    whole, deviation = _scores(rows, head, features, len(times))
    numbers = _numbers(entities)
    scored = _Scored(numbers, entities, times, whole, normal)
    alone = _Scored(numbers, entities, times, deviation, normal)
    clock.lap("rows")

    looks = _looks(home, detector, truth, fit_end, test_start)
    metrics_seen = [(look, one) for look in looks.values() for one in look.scored.values()]
    clock.lap("series")

    weeks = _entity_weeks(detector, spine, (fit_end, test_start))
    allowed = BUDGET * weeks / (3 if metrics_seen else 2)

    def chosen(part: _Scored, policy: AlarmPolicy, most: float, lowest: float, heavy: bool = False) -> AlarmPolicy:
        held_back = _arrays(part.between(fit_end, test_start, normal=True))
        return choose(policy, *held_back, most=most, gap=detector.gap, lowest=lowest, heavy=heavy)

    policies = [
        chosen(scored, detector.policy, allowed, LOWEST if detector.every_entity else RARE),
        chosen(alone, detector.policy, allowed, NEAREST, heavy=True),
        *(chosen(one, look.policy, allowed / len(metrics_seen), look.policy.threshold) for look, one in metrics_seen),
    ]
    parts = [scored, alone, *(one for _, one in metrics_seen)]
    tested = (test_start, span[1])
    metrics = _measured(detector, parts, policies, truth, spine, tested)
    plain = chosen(alone, detector.policy, BUDGET * weeks, NEAREST, heavy=True)
    baseline = _measured(detector, [alone], [plain], truth, spine, tested)
    told, within = _told(detector, parts, policies, truth, tested)
    evidence = _evidence(detector, within, told, _told(detector, [alone], [plain], truth, tested)[0])
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
    for name, look in looks.items():
        extra[name] = look.as_json({metric: next(thresholds).threshold for metric in look.scored})
    files = {"rows.npz": rows.to_bytes()} | ({"head.onnx": head[0]} if head else {})
    version = _register(home, detector, files, rows, Sample.of(pulled), metrics, baseline, extra, fit_end, evidence)
    clock.lap("registration")
    return AnomalyResult(detector.name, version, spine.height, metrics, baseline, clock.seconds)


def columns(data: pl.DataFrame, keys: list[str]) -> dict[str, np.ndarray]:
    """Features as the row detector takes them; lists say nothing to it."""
    return {
        column.name: to_numpy(column)
        for column in data.drop(keys)
        if not isinstance(column.dtype, pl.List) and column.null_count() < len(column)
    }


def _taken(features: Mapping[str, np.ndarray], rows: np.ndarray | slice) -> dict[str, np.ndarray]:
    return {name: values[rows] for name, values in features.items()}


def _numbers(entities: np.ndarray) -> np.ndarray:
    return np.unique(entities.astype(str), return_inverse=True)[1]


def _arrays(scored: _Scored) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return scored.series, scored.entities, scored.times, scored.scores


def _labelled(truth: pl.DataFrame, entities: np.ndarray, times: np.ndarray, aftermath: int) -> np.ndarray:
    """(n,) whether a labelled incident of the entity is on, or has only just ended."""
    found = np.zeros(len(times), bool)
    for entity, start, end in truth.select("entity_id", "start", "end").iter_rows():
        found |= (entities == entity) & (times >= start) & (times <= min(end + aftermath, np.iinfo(np.int64).max))
    return found


def _head(
    rows: RowDetector,
    features: Mapping[str, np.ndarray],
    truth: pl.DataFrame,
    entities: np.ndarray,
    times: np.ndarray,
    fitted: np.ndarray,
    held: np.ndarray,
    cutoff: int,
    seed: int,
) -> tuple[bytes, Calibration] | None:
    """What was labelled before the test begins, learned; None where that is too little."""
    known = truth.filter((pl.col("known") < cutoff) & (pl.col("start") < cutoff))
    if known.height < FEWEST:
        return None
    positive = np.flatnonzero(_labelled(known, entities, times, 0) & (times < cutoff))
    if not len(positive):
        return None
    chosen = np.concatenate([fitted, positive])
    matrix = rows.columns.encode(_taken(features, chosen))
    content = fit_head(matrix, np.arange(len(chosen)) >= len(fitted), seed)
    return content, calibrated(content, rows.columns.encode(_taken(features, held)))


def _scores(
    rows: RowDetector, head: tuple[bytes, Calibration] | None, features: Mapping[str, np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) -log10 p of the rows as a whole, and (n,) how far their farthest feature lies."""
    p_values, deviation = np.empty(count), np.empty(count)
    booster = OnnxBooster(head[0]) if head else None
    for low in range(0, count, CHUNK):
        here = slice(low, low + CHUNK)
        part = _taken(features, here)
        found = rows.score(part)
        p_values[here], deviation[here] = found.p_value, found.deviation
        if booster and head:
            learned = head[1].p_value(booster.predict(rows.columns.encode(part)))
            p_values[here] = both(p_values[here], learned)
    return -np.log10(p_values), deviation


def _looks(home: Home, detector: Detector, truth: pl.DataFrame, fit_end: int, test_start: int) -> dict[str, _Look]:
    """What metrics say by their own past: each way of looking at them, in one pass through time."""
    if detector.points is None:
        return {}
    points = detector.points(home)
    ways: dict[str, tuple[ManySeries[Any], Sequence[str]]] = {
        "series": (SeriesDetector(), metrics_of(points, detector.key)),
        "counts": (CountDetector(), detector.counts),
    }
    owners = points[detector.key].to_numpy()
    at = points["event_timestamp"].dt.timestamp("us").to_numpy()
    names = np.array([f"{owner}/" for owner in owners], object)
    normal = ~_labelled(truth, owners, at, detector.aftermath)
    numbers = _numbers(owners)
    found: dict[str, _Look] = {}
    for way, (scoring, metrics) in ways.items():
        if not metrics:
            continue
        values = points.select(pl.col(metric).cast(pl.Float64).fill_null(np.nan) for metric in metrics).to_numpy()
        told = scoring.replay(
            np.concatenate([names + metric for metric in metrics]).tolist(),
            np.tile(at, len(metrics)),
            values.T.reshape(-1),
        )
        scored = {
            metric: _Scored(numbers, owners, at, score, normal)
            for metric, score in zip(metrics, told.score.reshape(len(metrics), -1), strict=True)
        }
        scales = {
            metric: Calibration.fit(one.between(fit_end, test_start, normal=True).scores)
            for metric, one in scored.items()
        }
        found[way] = _Look(scored, scales, scoring.policy, asdict(scoring.settings))
    return found


def _entity_weeks(detector: Detector, spine: pl.DataFrame, span: tuple[int, int]) -> float:
    entities = spine[detector.key].n_unique() if detector.every_entity else 1
    return entities * (span[1] - span[0]) / WEEK


def _measured(
    detector: Detector,
    parts: list[_Scored],
    policies: list[AlarmPolicy],
    truth: pl.DataFrame,
    spine: pl.DataFrame,
    span: tuple[int, int],
) -> dict[str, IncidentMetrics]:
    told, within = _told(detector, parts, policies, truth, span)
    weeks = _entity_weeks(detector, spine, span)
    if detector.every_entity:
        weeks = quiet_weeks(truth, span, spine[detector.key].n_unique(), detector.aftermath)
    return incident_metrics(told, within, weeks, detector.aftermath)


def _told(
    detector: Detector, parts: list[_Scored], policies: list[AlarmPolicy], truth: pl.DataFrame, span: tuple[int, int]
) -> tuple[list[Incident], pl.DataFrame]:
    """Incidents that alarms were merged to, and the true ones that began within the span."""
    spoken = [
        alarm
        for part, policy in zip(parts, policies, strict=True)
        for alarm in alarms(policy, *_arrays(part.between(*span)))
    ]
    within = truth.filter((pl.col("start") >= span[0]) & (pl.col("start") < span[1]))
    return merge(spoken, detector.gap), within


def _evidence(detector: Detector, within: pl.DataFrame, told: list[Incident], plain: list[Incident]) -> Evidence | None:
    """Whether each true incident was found, by the detector and by the largest deviation alone; by kind."""
    if not within.height:
        return None
    found = {
        who: np.isfinite(delays(incidents, within, detector.aftermath)[0]).astype(float)
        for who, incidents in ((OURS, told), ("largest_deviation", plain))
    }
    names = [
        f"{entity}|{kind}|{start}" for entity, kind, start in within.select("entity_id", "kind", "start").iter_rows()
    ]
    return Evidence.of("found", names, found, higher_is_better=True, segments={"kind": within["kind"].to_list()})


def _register(
    home: Home,
    detector: Detector,
    files: dict[str, bytes],
    rows: RowDetector,
    pulled: Sample,
    metrics: Mapping[str, IncidentMetrics],
    baseline: Mapping[str, IncidentMetrics],
    extra: dict[str, Any],
    cutoff: int,
    evidence: Evidence | None,
) -> int:
    figures = {
        f"{kind}/{who}": {name: float(value) for name, value in asdict(one).items() if np.isfinite(value)}
        for who, by_kind in (("detector", metrics), ("largest_deviation", baseline))
        for kind, one in by_kind.items()
    }
    moment = str(pl.Series([cutoff]).cast(pl.Datetime("us", "UTC"))[0].isoformat())

    def write(folder: Path, version: int) -> BundleManifest:
        readme = card(detector, version, metrics, baseline, moment)
        return write_bundle(
            folder,
            {**files, "README.md": readme.encode()},
            {
                "name": detector.name,
                "version": version,
                "family": "anomaly",
                "feature_service": pulled.service,
                "fingerprint": pulled.manifest["fingerprint"],
                "inputs": [(name, "float64") for name in rows.columns.names],
                "outputs": [("p_value", "float64")],
                "metrics": figures,
                "training_set": pulled.manifest["digest"],
                "cutoff": moment,
                "extra": extra,
            },
        )

    logged = {f"test_{name}_{what}": value for what, one in figures.items() for name, value in one.items()}
    return register(
        home,
        detector.name,
        parameters={"budget": BUDGET, **extra["policy"]},
        metrics=logged,
        write=write,
        evidence=evidence,
        training_sets=[pulled],
    )
