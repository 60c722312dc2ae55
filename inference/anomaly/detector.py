"""Five anomaly detectors with one interface: they take observations and return detections and incidents."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.errors import InputError
from feature_repo.home import Home
from inference.anomaly.finding import Finding, add_metric, combine
from inference.anomaly.journal import Journal
from inference.anomaly.memory import Memory, Reading, record_of
from inference.anomaly.observation import MAX_CAUSES, Detections, Observation, incident_report, microseconds_of
from inference.features import OnlineFeatures
from inference.models import OnnxModel, load_bundle
from transforms.pure.anomaly.calibration import Calibration, both
from transforms.pure.anomaly.incidents import MINUTE, Alarm
from transforms.pure.anomaly.rows import RowDetector

MAX_LOOKUP_AGE = 15 * MINUTE
"""Maximum age, in microseconds, of an observation whose missing features are looked up online (online is now)."""
SNAPSHOT_BYTES, SNAPSHOT_SHARE = 256_000, 64
"""A snapshot is due when the journal has so many bytes, and at least the size of the memory divided by the share."""
NOT_KEPT = "what was observed is not kept for other processes: the data folder cannot be written"


@dataclass
class _Turn:
    """One turn at the shared memory.

    Attributes:
        record: what was observed; None if nothing was.
        is_kept: whether other processes see it.
    """

    record: dict[str, Any] | None = None
    is_kept: bool = True


PERSONAL_KEYS = {"user_behavior": "user_id", "security": "client_ip"}
"""Detector → join key of the rows about a person that it looks up."""


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
            remember: share the memory with the other processes of the data folder, and with the next one.
        """
        self.bundle, self._home = bundle, home
        extra = bundle.manifest["extra"] if bundle else {}
        self._rows = RowDetector.from_bytes(bundle.read("rows.npz")) if bundle else None
        self._head = _head(bundle) if bundle else None
        self._key = str(extra.get("key", "host_id"))
        self._lookup = OnlineFeatures(bundle.manifest["feature_service"], home) if bundle and home else None
        self._lock = threading.Lock()
        self._memory = Memory(bundle)
        self._journal = (
            Journal(home.root / "anomaly" / home.tenant / self.model.replace(":", "-")) if home and remember else None
        )

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
    def lookup(self) -> tuple[OnlineFeatures, str] | None:
        """The lookup of the features, and the join key of the entities; None if only metrics are scored."""
        return None if self._lookup is None else (self._lookup, self._key)

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
        readings, places = self._readings(batch, times)
        with self._lock, self._shared_memory() as turn:
            metric_findings = self._score_metrics(len(batch), readings, places)
            row_findings, rows = self._score_rows(batch, features)
            detections, alarms, touched = [], [], {}
            for number, observation in enumerate(batch):
                detection = combine(observation, metric_findings[number], row_findings[number])
                detections.append(detection)
                if detection.alarm:
                    score, p_value = detection.score or 0.0, detection.p_value or 1.0
                    alarms.append(Alarm(observation.entity, times[number], score, p_value, detection.causes))
                    incident = self._memory.add_alarm(alarms[-1])
                    touched[incident.key] = incident
            incidents = [incident_report(incident) for incident in touched.values()]
            if readings or rows:
                turn.record = record_of(readings, rows, alarms)
        notes = [text for text in (note, None if turn.is_kept else NOT_KEPT) if text]
        return Detections(self.target, self.model, detections, incidents, "; ".join(notes) or None)

    @contextmanager
    def _shared_memory(self) -> Iterator[_Turn]:
        """Bring the memory up to what other processes observed; afterwards append the record of the turn.

        Where the data folder cannot be written, the memory is that of this process alone.
        """
        turn, memory = _Turn(), self._memory
        with contextlib.ExitStack() as stack:
            journal = self._journal
            if journal is not None:
                try:
                    stack.enter_context(journal.hold())
                    self._catch_up(journal)
                except OSError:
                    journal, turn.is_kept, memory.position = None, False, None
            try:
                yield turn
            except InputError:  # nothing was applied
                raise
            except BaseException:
                memory.position = None  # half of it may have been applied: read it again
                raise
            if journal is None or turn.record is None:
                return
            try:
                memory.position, length = journal.append(turn.record)
                if length > SNAPSHOT_BYTES and length > memory.state_bytes / SNAPSHOT_SHARE:
                    journal.compact(memory.snapshot(), memory.position)
            except OSError:
                turn.is_kept, memory.position = False, None

    def _catch_up(self, journal: Journal) -> None:
        """Apply what was appended since; from the snapshot on if the journal does not go back that far."""
        memory = self._memory
        found = None if memory.position is None else journal.records(memory.position)
        if found is None:
            memory.forget()
            with contextlib.suppress(InputError):  # with a damaged snapshot, start from nothing
                memory.restore(journal.snapshot() or b"")
            found = (memory.position and journal.records(memory.position)) or journal.records(None)
        if found is None:
            return
        records, position = found
        memory.position = None  # until all are applied
        for record in records:
            with contextlib.suppress(LookupError, TypeError, ValueError, InputError):  # of another version: by none
                memory.apply(record)
        memory.position = position

    def _readings(self, observations: Sequence[Observation], times: list[int]) -> tuple[list[Reading], list[int]]:
        """Return the values of metrics, and the place of the observation of each."""
        if not self._memory.metric_detectors:
            return [], []
        features = set(self._rows.columns.names) if self._rows else set()
        readings, places = list[Reading](), []
        for place, observation in enumerate(observations):
            for metric, value in observation.values.items():
                if metric not in features:
                    readings.append((observation.entity, metric, times[place], _number(metric, value)))
                    places.append(place)
        return readings, places

    def _score_metrics(self, count: int, readings: Sequence[Reading], places: Sequence[int]) -> list[Finding]:
        """Score the metrics of ``count`` observations against their own past."""
        findings = [Finding() for _ in range(count)]
        for name, metric_detector in self._memory.metric_detectors.items():
            covered, scores = self._memory.score(name, readings)
            for row, number in enumerate(covered):
                metric = readings[number][1]
                add_metric(findings[places[number]], metric, scores, row, metric_detector.scales.get(metric))
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
        if lookup.denied is not None:
            return feature_rows, "some people have not consented to features: only their metrics are scored"
        if not is_online.all():
            return feature_rows, "some entities have no features online: only their metrics are scored"
        return feature_rows, None

    def _score_rows(
        self, observations: Sequence[Observation], features: list[Mapping[str, Any] | None]
    ) -> tuple[list[Finding], list[tuple[str, float, float]]]:
        """Score the rows of features; return the findings, and entity and scores of each row."""
        findings, rows = [Finding() for _ in observations], list[tuple[str, float, float]]()
        places = [place for place, row in enumerate(features) if row is not None]
        if not places or self._rows is None:
            return findings, rows
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
            rows.append((observations[place].entity, float(-np.log10(p_values[row])), float(scores.deviation[row])))
            entity, *policy_scores = rows[-1]
            findings[place].alarm = self._memory.is_alarm(entity, policy_scores)
            order = np.argsort(-scores.causes[row])[:MAX_CAUSES]
            findings[place].causes = {self._rows.columns.names[at]: float(scores.causes[row, at]) for at in order}
        return findings, rows

    def snapshot(self) -> bytes:
        """Serialize the memory: states of metrics, alarm states of entities and open incidents."""
        with self._lock:
            return self._memory.snapshot()

    def restore(self, content: bytes) -> None:
        """Restore the memory from a ``snapshot``.

        Raises:
            InputError: the content is not a snapshot, or it is damaged.
        """
        with self._lock:
            self._memory.restore(content)

    def save(self) -> None:
        """Write a snapshot of the shared memory to the data folder, from which the next process starts at once."""
        journal = self._journal
        if journal is None:
            return
        with self._lock, contextlib.suppress(OSError), journal.hold():
            self._catch_up(journal)
            if self._memory.position is not None:
                journal.compact(self._memory.snapshot(), self._memory.position)


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
