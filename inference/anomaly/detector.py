"""Five anomaly detectors with one interface: they take observations and return detections and incidents."""

import contextlib
import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.errors import InputError
from feature_repo.home import Home
from feature_repo.whole_files import write_whole
from inference.anomaly.finding import METRIC_DETECTORS, Finding, MetricDetector, add_metric, combine
from inference.anomaly.observation import MAX_CAUSES, Detections, Observation, incident_report, microseconds_of
from inference.features import OnlineFeatures
from inference.models import OnnxModel, load_bundle
from transforms.pure import npz
from transforms.pure.anomaly.alarms import SILENT, AlarmPolicy
from transforms.pure.anomaly.calibration import Calibration, both
from transforms.pure.anomaly.incidents import MINUTE, Alarm, Incident, IncidentLog
from transforms.pure.anomaly.rows import RowDetector
from transforms.pure.anomaly.series import SeriesDetector

MAX_LOOKUP_AGE = 15 * MINUTE
"""Maximum age, in microseconds, of an observation whose missing features are looked up online (online is now)."""
MAX_ENTITIES = 100_000
SAVE_SECONDS = 60.0


class AnomalyDetector:
    """A detector with a memory of earlier observations. Safe to share between threads.

    >>> AnomalyDetector.load("system_anomaly_detector_v1.0").detect(                    # doctest: +SKIP
    ...     [Observation("host-01", datetime.now(UTC), {"cpu_permille": 990})])

    >>> detector = AnomalyDetector()                                                # doctest: +SKIP
    >>> detector.restore(detector.snapshot())                                       # doctest: +SKIP
    >>> detector.save()  # the memory, for the next process                         # doctest: +SKIP
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
            {name: MetricDetector.of(kind, extra[name]) for name, kind in METRIC_DETECTORS.items() if extra.get(name)}
            if bundle
            else {"series": MetricDetector(SeriesDetector(), {})}
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
        times = [microseconds_of(observation.at) for observation in batch]
        features, note = self._features(batch, times)
        with self._lock:
            metric_findings = self._score_metrics(batch, times)
            row_findings = self._score_rows(batch, features)
            detections, touched = [], {}
            for number, observation in enumerate(batch):
                detection = combine(observation, metric_findings[number], row_findings[number])
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

    def _score_metrics(self, observations: Sequence[Observation], times: list[int]) -> list[Finding]:
        """Score the metrics of each observation against their own past."""
        findings = [Finding() for _ in observations]
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
                add_metric(findings[place], metric, scores, row, metric_detector.scales.get(metric))
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
    ) -> list[Finding]:
        findings = [Finding() for _ in observations]
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
        write_whole(self._memory, self.snapshot())

    def _save_now_and_then(self) -> None:
        if self._remembers and time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()
            self._saved = time.monotonic()

    def _recall(self) -> None:
        if self._memory is not None and self._memory.is_file():
            with contextlib.suppress(InputError):  # with a damaged memory, start from nothing
                self.restore(self._memory.read_bytes())


class SystemAnomalyDetector(AnomalyDetector):
    """Hosts: processor, memory, disk, network, connections.

    >>> observation = Observation("host-01", datetime.now(UTC), {"cpu_permille": 990})  # doctest: +SKIP
    >>> SystemAnomalyDetector.load().detect([observation]).detections[0].alarm      # doctest: +SKIP
    False
    """

    target, name = "system", "system_anomaly_detector"


class PerformanceAnomalyDetector(AnomalyDetector):
    """Endpoints: traffic, latency, errors.

    >>> observation = Observation("GET /play", datetime.now(UTC), {"latency_p99_ms": 900})  # doctest: +SKIP
    >>> PerformanceAnomalyDetector.load().detect([observation]).detections[0].alarm # doctest: +SKIP
    False
    """

    target, name = "performance", "performance_anomaly_detector"


class UserBehaviorAnomalyDetector(AnomalyDetector):
    """Accounts: how they listen and from where.

    >>> observation = Observation("u000042", datetime.now(UTC), {})                 # doctest: +SKIP
    >>> UserBehaviorAnomalyDetector.load().detect([observation]).detections[0].alarm  # doctest: +SKIP
    False
    """

    target, name = "user_behavior", "user_behavior_anomaly_detector"


class SecurityAnomalyDetector(AnomalyDetector):
    """Client addresses: attempts to log in, and requests.

    >>> observation = Observation("192.0.2.7", datetime.now(UTC), {})               # doctest: +SKIP
    >>> SecurityAnomalyDetector.load().detect([observation]).detections[0].alarm    # doctest: +SKIP
    False
    """

    target, name = "security", "security_anomaly_detector"


class AudioQualityAnomalyDetector(AnomalyDetector):
    """Masters: loudness, clipping, silence, noise, stereo.

    >>> observation = Observation("t000042", datetime.now(UTC), {})                 # doctest: +SKIP
    >>> AudioQualityAnomalyDetector.load().detect([observation]).detections[0].alarm  # doctest: +SKIP
    False
    """

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
