"""Five anomaly detectors with one interface: they take observations and return detections and incidents."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.features import OnlineFeatures
from inference.models import OnnxModel, load_bundle
from transforms.pure import npz
from transforms.pure.anomaly.alarms import SILENT, AlarmPolicy
from transforms.pure.anomaly.calibration import Calibration, both, either, fisher
from transforms.pure.anomaly.counts import CountDetector
from transforms.pure.anomaly.incidents import MINUTE, Alarm, Incident, IncidentLog
from transforms.pure.anomaly.many import ManySeries, SeriesScores
from transforms.pure.anomaly.rows import RowDetector
from transforms.pure.anomaly.series import CHANNELS, SeriesDetector

MAX_CAUSES = 5
"""Maximum number of causes reported for one alarm."""
MAX_LOOKUP_AGE = 15 * MINUTE
"""Maximum age, in microseconds, of an observation whose missing features are looked up online (online is now)."""
MAX_ENTITIES = 100_000
SAVE_SECONDS = 60.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Observation:
    """The measurements of one entity at one moment.

    Attributes:
        entity: key of the entity, such as a host_id.
        at: time of the measurement; UTC if it has no time zone.
        values: metric → number, and features of the model (``view__feature``) → value; None for missing. Features are
            used only if all of them are given; otherwise they are looked up online if ``at`` is recent. Leave it empty
            to score the features that are online.
    """

    entity: str
    at: datetime
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Detection:
    """The result of scoring one observation.

    Attributes:
        entity: key of the observed entity.
        at: time of the observation.
        p_value: share of normal observations that are at least as unusual; None if nothing could be scored.
        score: -log10 of the p-value.
        alarm: whether the observation raised an alarm.
        causes: feature or metric → its share in the alarm, the largest first; empty without an alarm.
        verdict: the irregularity of the first metric that has one: "missing", "duplicate", "late", "clock" (set back)
            or "relearned"; "" for none.
    """

    entity: str
    at: datetime
    p_value: float | None
    score: float | None
    alarm: bool
    causes: dict[str, float]
    verdict: str


@dataclass(frozen=True)
class IncidentReport:
    """An incident: alarms of one entity that belong together.

    Attributes:
        id: identifier of the incident; it stays the same while the incident goes on.
        entity: key of the entity.
        start: time of the first alarm.
        end: time of the newest alarm.
        alarms: number of alarms.
        p_value: lowest p-value of the alarms.
        causes: feature or metric → its largest share in an alarm.
    """

    id: str
    entity: str
    start: datetime
    end: datetime
    alarms: int
    p_value: float
    causes: dict[str, float]


@dataclass(frozen=True)
class Detections:
    """The result of scoring a batch of observations.

    Attributes:
        detector: ``system``, ``performance``, ``user_behavior``, ``security`` or ``audio_quality``.
        model: name and version of the bundle; "untrained" without one.
        detections: one detection for each observation, in the order of the observations.
        incidents: incidents that these observations opened or continued, oldest first.
        note: why features were not scored; None if they were.
    """

    detector: str
    model: str
    detections: list[Detection]
    incidents: list[IncidentReport]
    note: str | None


class AnomalyDetector:
    """A detector with a memory of earlier observations. Safe to share between threads.

    >>> AnomalyDetector.load("system_anomaly_detector_v1.0").detect(                    # doctest: +SKIP
    ...     [Observation("host-01", datetime.now(UTC), {"cpu_permille": 990})])
    """

    target: ClassVar[str] = "system"
    name: ClassVar[str] = "system_anomaly_detector"

    def __init__(self, bundle: Bundle | None = None, home: Home | None = None, *, remember: bool = False) -> None:
        """Load the models of the bundle; connect to Redis on the first lookup.

        Args:
            bundle: the trained model. Without one, only metrics are scored, each against its own past.
            home: the data folder, for lookups and for the memory.
            remember: load the memory that an earlier process saved, and save it for the next one.
        """
        self.bundle, self._home = bundle, home
        extra = bundle.manifest["extra"] if bundle else {}
        self._rows = RowDetector.from_bytes(bundle.read("rows.npz")) if bundle else None
        self._head = _head(bundle) if bundle else None
        self._policies = [AlarmPolicy(**extra[name]) for name in ("policy", "deviation") if name in extra]
        self._metric_detectors = (
            {name: _MetricDetector.of(kind, extra[name]) for name, kind in METRIC_DETECTORS.items() if extra.get(name)}
            if bundle
            else {"series": _MetricDetector(SeriesDetector(), {})}
        )
        self._key = str(extra.get("key", "host_id"))
        self._incidents = IncidentLog(int(extra.get("gap", 30 * MINUTE)))
        self._states: dict[str, list[tuple[float, int]]] = {}
        self._lookup = OnlineFeatures(bundle.manifest["feature_service"], home) if bundle and home else None
        self._lock = threading.Lock()
        self._saved = time.monotonic()
        self._memory = home.root / "anomaly" / home.tenant / f"{self.model.replace(':', '-')}.npz" if home else None
        self._remembers = remember and self._memory is not None
        if self._remembers:
            self._recall()

    @classmethod
    def load(cls, name: str | None = None, home: Home | None = None, *, remember: bool = False) -> "AnomalyDetector":
        """Load the champion (``system_anomaly_detector``) or a version (``system_anomaly_detector_v1.0`` or ``…:1``).

        Raises:
            BundleError: see ``inference.models.load_bundle``.
            StoreError: the manifest is missing or damaged.
        """
        home = home or Home.from_env()
        bundle = load_bundle(name or cls.name, home)
        kind = next((detector for detector in DETECTORS.values() if detector.name == bundle.manifest["name"]), cls)
        return kind(bundle, home, remember=remember)

    @property
    def model(self) -> str:
        """Name and version of the bundle."""
        return self.bundle.name_version if self.bundle else "untrained"

    def detect(self, observations: Iterable[Observation]) -> Detections:
        """Score observations, learn from their metrics, and merge alarms into incidents.

        A batch may hold any number of observations of one entity, oldest first. One call with all of them gives the
        same result as one call for each.

        Raises:
            InputError: the value of a metric is neither a number nor missing.
        """
        batch = list(observations)
        times = [_micros(observation.at) for observation in batch]
        features, note = self._features(batch, times)
        with self._lock:
            metric_findings = self._score_metrics(batch, times)
            row_findings = self._score_rows(batch, features)
            detections, touched = [], {}
            for number, observation in enumerate(batch):
                detection = _combine(observation, metric_findings[number], row_findings[number])
                detections.append(detection)
                if detection.alarm:
                    alarm = Alarm(
                        observation.entity,
                        times[number],
                        detection.score or 0.0,
                        detection.p_value or 1.0,
                        detection.causes,
                    )
                    incident, _ = self._incidents.take(alarm)
                    touched[incident.key] = incident
            self._save_now_and_then()
        return Detections(
            self.target, self.model, detections, [incident_report(incident) for incident in touched.values()], note
        )

    def _score_metrics(self, observations: Sequence[Observation], times: list[int]) -> list["_Finding"]:
        """Score the metrics of each observation against their own past."""
        findings = [_Finding() for _ in observations]
        features = set(self._rows.columns.names) if self._rows else set()
        readings = [
            (place, metric, _number(metric, value))
            for place, observation in enumerate(observations if self._metric_detectors else ())
            for metric, value in observation.values.items()
            if metric not in features
        ]
        for metric_detector in self._metric_detectors.values():
            covered = [reading for reading in readings if metric_detector.covers(reading[1])]
            scores = metric_detector.detector.replay(
                [f"{observations[place].entity}/{metric}" for place, metric, _ in covered],
                np.array([times[place] for place, _, _ in covered], np.int64),
                np.array([value for _, _, value in covered], np.float64),
            )
            for row, (place, metric, _) in enumerate(covered):
                _add_metric(findings[place], metric, scores, row, metric_detector.scales.get(metric))
        return findings

    def _features(
        self, observations: Sequence[Observation], times: list[int]
    ) -> tuple[list[Mapping[str, Any] | None], str | None]:
        """Return the feature row of each observation, as given or as it is online now, and a note."""
        if self._rows is None:
            return [None] * len(observations), "no model: only metrics are scored, each against its own past"
        feature_names = set(self._rows.columns.names)
        # an incomplete row would be unusual only because features are missing
        feature_rows: list[Mapping[str, Any] | None] = [
            observation.values if feature_names <= set(observation.values) else None for observation in observations
        ]
        now = time.time_ns() // 1_000
        lookup_places = [
            place
            for place, observation in enumerate(observations)
            if feature_rows[place] is None and (not observation.values or abs(now - times[place]) <= MAX_LOOKUP_AGE)
        ]
        if not lookup_places or self._lookup is None:
            return feature_rows, None
        lookup = self._lookup.get(
            {self._key: [observations[place].entity for place in lookup_places]}, on_failure="defaults"
        )
        values = lookup.values
        is_online = ~np.all([lookup.missing[name] for name in self._rows.columns.names], axis=0)
        for row, place in enumerate(lookup_places):
            if is_online[row]:
                online = {name: values[name][row] for name in feature_names}
                feature_rows[place] = online | {
                    name: value for name, value in observations[place].values.items() if name in feature_names
                }
        if lookup.degraded:
            return feature_rows, f"features could not be looked up: {lookup.degraded}"
        if not is_online.all():
            return feature_rows, "some entities have no features online: only their metrics are scored"
        return feature_rows, None

    def _score_rows(
        self, observations: Sequence[Observation], features: list[Mapping[str, Any] | None]
    ) -> list["_Finding"]:
        findings = [_Finding() for _ in observations]
        places = [place for place, row in enumerate(features) if row is not None]
        if not places or self._rows is None:
            return findings
        columns = {name: [(features[place] or {}).get(name) for place in places] for name in self._rows.columns.names}
        scores = self._rows.score(columns)
        p_values = scores.p_value
        if self._head:
            learned = self._head[1].p_value(
                self._head[0].predict(self._rows.columns.encode(columns).astype(np.float32))
            )
            p_values = both(p_values, learned)
        for row, place in enumerate(places):
            findings[place].p_value = float(p_values[row])
            policy_scores = (-np.log10(p_values[row]), scores.deviation[row])
            # the newest entity is last, so that the entity with the oldest observation is dropped first
            states = self._states.pop(observations[place].entity, None) or [SILENT] * len(self._policies)
            self._states[observations[place].entity] = states
            while len(self._states) > MAX_ENTITIES:
                del self._states[next(iter(self._states))]
            for number, (policy, score) in enumerate(zip(self._policies, policy_scores, strict=True)):
                alarm, states[number] = policy.one(float(score), states[number])
                findings[place].alarm |= alarm
            order = np.argsort(-scores.causes[row])[:MAX_CAUSES]
            findings[place].causes = {self._rows.columns.names[at]: float(scores.causes[row, at]) for at in order}
        return findings

    def snapshot(self) -> bytes:
        """Serialize the memory: states of metrics, alarm states of entities and open incidents."""
        state = {"states": self._states, "incidents": [vars(incident) for incident in self._incidents.open]}
        parts = {"told": json.dumps(state).encode()} | {
            name: metric_detector.detector.snapshot() for name, metric_detector in self._metric_detectors.items()
        }
        return npz.pack({name: np.frombuffer(part, np.uint8) for name, part in parts.items()}, compressed=False)

    def restore(self, content: bytes) -> None:
        """Restore the memory from a ``snapshot``.

        Raises:
            InputError: the content is not a snapshot, or it is damaged.
        """
        try:
            arrays = npz.unpack(content)
            state = json.loads(arrays["told"].tobytes())
            detectors = {
                name: METRIC_DETECTORS[name].restore(arrays[name].tobytes())
                for name in self._metric_detectors
                if name in arrays
            }
            states = {entity: [(float(b), int(s)) for b, s in pairs] for entity, pairs in state["states"].items()}
            incidents = [Incident(**incident) for incident in state["incidents"]]
        except Exception as error:
            raise InputError(
                expected="a snapshot of this detector",
                found=type(error).__name__,
                next_command="remove it; the detector then learns from the start",
            ) from error
        for name, detector in detectors.items():
            self._metric_detectors[name].detector = detector
        self._states = states
        self._incidents.resume(incidents)

    def save(self) -> None:
        """Write the memory to the data folder, atomically, for the next process."""
        if self._memory is None:
            return
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        partial = self._memory.with_name(f".{self._memory.name}.{os.getpid()}.tmp")
        partial.write_bytes(self.snapshot())
        partial.replace(self._memory)

    def _save_now_and_then(self) -> None:
        if self._remembers and time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()
            self._saved = time.monotonic()

    def _recall(self) -> None:
        if self._memory is not None and self._memory.is_file():
            with contextlib.suppress(InputError):  # with a damaged memory, start from nothing
                self.restore(self._memory.read_bytes())


class SystemAnomalyDetector(AnomalyDetector):
    """Hosts: processor, memory, disk, network, connections."""

    target, name = "system", "system_anomaly_detector"


class PerformanceAnomalyDetector(AnomalyDetector):
    """Endpoints: traffic, latency, errors."""

    target, name = "performance", "performance_anomaly_detector"


class UserBehaviorAnomalyDetector(AnomalyDetector):
    """Accounts: how they listen and from where."""

    target, name = "user_behavior", "user_behavior_anomaly_detector"


class SecurityAnomalyDetector(AnomalyDetector):
    """Client addresses: attempts to log in, and requests."""

    target, name = "security", "security_anomaly_detector"


class AudioQualityAnomalyDetector(AnomalyDetector):
    """Masters: loudness, clipping, silence, noise, stereo."""

    target, name = "audio_quality", "audio_quality_anomaly_detector"


DETECTORS: dict[str, type[AnomalyDetector]] = {
    detector.target: detector
    for detector in (
        SystemAnomalyDetector,
        PerformanceAnomalyDetector,
        UserBehaviorAnomalyDetector,
        SecurityAnomalyDetector,
        AudioQualityAnomalyDetector,
    )
}
"""Target → class of its detector."""


METRIC_DETECTORS: dict[str, type[ManySeries[Any]]] = {"series": SeriesDetector, "counts": CountDetector}
"""Name in a bundle's manifest → class that scores metrics against their own past."""


@dataclass
class _MetricDetector:
    """A detector of metrics and the calibration of its scores.

    Attributes:
        detector: the detector with its memory.
        scales: metric → calibration of its scores.
    """

    detector: ManySeries[Any]
    scales: dict[str, Calibration]

    @classmethod
    def of(cls, kind: type[ManySeries[Any]], extra: Mapping[str, Any]) -> "_MetricDetector":
        """Create one from the settings in a bundle's manifest."""
        detector = kind(kind.SETTINGS(**extra["settings"]), AlarmPolicy(**extra["policy"]), extra["thresholds"])
        return cls(detector, {name: Calibration.from_json(scale) for name, scale in extra["calibration"].items()})

    def covers(self, metric: str) -> bool:
        """Whether the detector scores a metric. Any number is a series; counts are only the calibrated metrics."""
        return isinstance(self.detector, SeriesDetector) or metric in self.scales


@dataclass
class _Finding:
    """The score of one observation by its metrics, or by its feature row.

    Attributes:
        p_value: lowest p-value of the tests; NaN without a test.
        alarm: whether a test raised an alarm.
        causes: feature or metric → its weight in the alarm.
        verdict: irregularity of a metric, see ``Detection``.
        tests: number of tests that were made.
    """

    p_value: float = float("nan")
    alarm: bool = False
    causes: dict[str, float] = field(default_factory=dict)
    verdict: str = ""
    tests: int = 0


def incident_report(incident: Incident) -> IncidentReport:
    """Convert an incident to the report of it."""
    causes = dict(list(incident.causes.items())[:MAX_CAUSES])
    start, end = _moment(incident.start), _moment(incident.end)
    return IncidentReport(incident.key, incident.entity, start, end, incident.alarms, incident.p_value, causes)


def _add_metric(finding: _Finding, metric: str, scores: SeriesScores, row: int, scale: Calibration | None) -> None:
    """Add the score of one metric. Each metric is one more test, for which the p-value is corrected later."""
    finding.verdict = finding.verdict or str(scores.verdict[row])
    score = scores.score[row]
    if np.isnan(score):
        return
    p_value = float(scale.p_value(np.array([score]))[0]) if scale else float(fisher(score, len(CHANNELS)))
    finding.causes[metric] = max(finding.causes.get(metric, 0.0), -float(np.log10(p_value)))
    finding.p_value = float(np.fmin(finding.p_value, p_value))
    finding.tests += 1
    finding.alarm |= bool(scores.alarm[row])


def _combine(observation: Observation, metric_finding: _Finding, row_finding: _Finding) -> Detection:
    metric_p_value = min(metric_finding.p_value * max(metric_finding.tests, 1), 1.0)  # NaN stays NaN
    p_value = float(either(np.array([metric_p_value]), np.array([row_finding.p_value]))[0])
    alarm = metric_finding.alarm or row_finding.alarm
    causes: dict[str, float] = {}
    if alarm:
        total = sum(metric_finding.causes.values())
        if metric_finding.alarm and total > 0:
            causes |= {name: score / total for name, score in metric_finding.causes.items()}
        if row_finding.alarm or not causes:
            causes |= row_finding.causes
        causes = dict(sorted(causes.items(), key=lambda item: -item[1])[:MAX_CAUSES])
    is_scored = not np.isnan(p_value)
    at = observation.at if observation.at.tzinfo else observation.at.replace(tzinfo=UTC)
    return Detection(
        observation.entity,
        at,
        p_value if is_scored else None,
        float(-np.log10(p_value)) if is_scored else None,
        alarm,
        causes,
        metric_finding.verdict,
    )


def _head(bundle: Bundle) -> tuple[OnnxModel, Calibration] | None:
    calibration = bundle.manifest["extra"].get("head")
    return (OnnxModel(bundle.read("head.onnx")), Calibration.from_json(calibration)) if calibration else None


def _number(metric: str, value: Any) -> float:
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(
            expected=f"a number for the metric {metric!r}, or null",
            found=repr(value)[:80],
            next_command="leave out what is not a number",
        )
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _micros(at: datetime) -> int:
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
