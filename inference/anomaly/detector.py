"""Five detectors on one contract: observations in, detections and incidents out."""

import contextlib
import io
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
from transforms.pure.anomaly.alarms import SILENT, AlarmPolicy
from transforms.pure.anomaly.calibration import Calibration, both, either, fisher
from transforms.pure.anomaly.counts import CountDetector
from transforms.pure.anomaly.incidents import MINUTE, Alarm, Incident, IncidentLog
from transforms.pure.anomaly.many import ManySeries, SeriesScores
from transforms.pure.anomaly.rows import RowDetector
from transforms.pure.anomaly.series import CHANNELS, SeriesDetector

CAUSES = 5
"""Causes that are told of one alarm."""
RECENT = 15 * MINUTE
"""An observation that is no older is completed by features looked up online, which say nothing of the past."""
MOST_ENTITIES = 100_000
SAVE_SECONDS = 60.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Observation:
    """What was seen of one entity at one moment.

    Attributes:
        entity: such as a host_id.
        at: when; without a zone it is UTC.
        values: metric → number, and features of the model (``view__feature``) → value; None for missing. Features count
            if all are given; those left out are looked up where ``at`` is recent. Empty to ask for what is online.
    """

    entity: str
    at: datetime
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Detection:
    """What was found of one observation.

    Attributes:
        entity: whose.
        at: when.
        p_value: share of normal observations that are as unusual; None if nothing could be told.
        score: -log10 of it.
        alarm: whether it raised one.
        causes: feature or metric → its share in that, the largest first; of alarms alone.
        verdict: what was special: "" or "missing", "duplicate", "late", "clock" (set back), "relearned"; of the first
            metric that had something special.
    """

    entity: str
    at: datetime
    p_value: float | None
    score: float | None
    alarm: bool
    causes: dict[str, float]
    verdict: str


@dataclass(frozen=True)
class ToldIncident:
    """Alarms that belong together.

    Attributes:
        id: the same for every telling of this incident.
        entity: whose.
        start: first alarm.
        end: newest alarm.
        alarms: how many.
        p_value: the lowest.
        causes: feature or metric → its largest share.
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
    """What was found.

    Attributes:
        detector: ``system``, ``performance``, ``user_behavior``, ``security`` or ``audio_quality``.
        model: name and version of the bundle; "untrained" without one.
        detections: one an observation, in its order.
        incidents: those that these observations opened or went on with, oldest first.
        note: what kept features out; None if nothing did.
    """

    detector: str
    model: str
    detections: list[Detection]
    incidents: list[ToldIncident]
    note: str | None


class AnomalyDetector:
    """One detector, with the memory of what it has seen. Safe to share between threads.

    >>> AnomalyDetector.load("system_anomaly_detector_v1.0").detect(                    # doctest: +SKIP
    ...     [Observation("host-01", datetime.now(UTC), {"cpu_permille": 990})])
    """

    target: ClassVar[str] = "system"
    name: ClassVar[str] = "system_anomaly_detector"

    def __init__(self, bundle: Bundle | None = None, home: Home | None = None, *, remember: bool = False) -> None:
        """Load what the bundle holds; connect to Redis on the first lookup.

        Args:
            bundle: without one, metrics are scored by their own past alone, and rows not at all.
            home: the data folder, for lookups and for the memory.
            remember: go on from where an earlier process ended, and leave the memory to the next.
        """
        self.bundle, self._home = bundle, home
        extra = bundle.manifest["extra"] if bundle else {}
        self._rows = RowDetector.from_bytes(bundle.read("rows.npz")) if bundle else None
        self._head = _head(bundle) if bundle else None
        self._policies = [AlarmPolicy(**extra[name]) for name in ("policy", "deviation") if name in extra]
        self._looks = (
            {name: _Look.of(kind, extra[name]) for name, kind in LOOKS.items() if extra.get(name)}
            if bundle
            else {"series": _Look(SeriesDetector(), {})}
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
        """The champion (``system_anomaly_detector``) or a version of it (``system_anomaly_detector_v1.0`` or ``…:1``).

        Raises:
            BundleError: see ``inference.models.load_bundle``.
            StoreError: the manifest is missing or damaged.
        """
        home = home or Home.from_env()
        bundle = load_bundle(name or cls.name, home)
        kind = next((one for one in DETECTORS.values() if one.name == bundle.manifest["name"]), cls)
        return kind(bundle, home, remember=remember)

    @property
    def model(self) -> str:
        """Name and version of the bundle."""
        return self.bundle.name_version if self.bundle else "untrained"

    def detect(self, observations: Iterable[Observation]) -> Detections:
        """Score observations, learn from their metrics, and merge alarms into incidents.

        Observations of one entity may come in any number, oldest first; the same ones one by one give the same
        answers.

        Raises:
            InputError: a value is neither a number nor missing where a metric is meant.
        """
        seen = list(observations)
        times = [_micros(one.at) for one in seen]
        features, note = self._features(seen, times)
        with self._lock:
            metrics = self._score_metrics(seen, times)
            found = self._score_rows(seen, features)
            detections, touched = [], {}
            for place, one in enumerate(seen):
                told = _joined(one, metrics[place], found[place])
                detections.append(told)
                if told.alarm:
                    alarm = Alarm(one.entity, times[place], told.score or 0.0, told.p_value or 1.0, told.causes)
                    incident, _ = self._incidents.take(alarm)
                    touched[incident.key] = incident
            self._save_now_and_then()
        return Detections(self.target, self.model, detections, [told_incident(one) for one in touched.values()], note)

    def _score_metrics(self, seen: Sequence[Observation], times: list[int]) -> list["_Found"]:
        """Of each observation, what its metrics say by their own past."""
        found = [_Found() for _ in seen]
        features = set(self._rows.columns.names) if self._rows else set()
        given = [
            (place, metric, _number(metric, value))
            for place, one in enumerate(seen if self._looks else ())
            for metric, value in one.values.items()
            if metric not in features
        ]
        for look in self._looks.values():
            mine = [one for one in given if look.asks(one[1])]
            told = look.detector.replay(
                [f"{seen[place].entity}/{metric}" for place, metric, _ in mine],
                np.array([times[place] for place, _, _ in mine], np.int64),
                np.array([value for _, _, value in mine], np.float64),
            )
            for row, (place, metric, _) in enumerate(mine):
                _take(found[place], metric, told, row, look.scales.get(metric))
        return found

    def _features(
        self, seen: Sequence[Observation], times: list[int]
    ) -> tuple[list[Mapping[str, Any] | None], str | None]:
        """Of each observation, its row of features: as given, else as they are online now."""
        if self._rows is None:
            return [None] * len(seen), "no model: metrics alone are scored, by their own past"
        wanted = set(self._rows.columns.names)
        # a row with features left out would be unusual for that alone
        given: list[Mapping[str, Any] | None] = [one.values if wanted <= set(one.values) else None for one in seen]
        now = time.time_ns() // 1_000
        asked = [
            place
            for place, one in enumerate(seen)
            if given[place] is None and (not one.values or abs(now - times[place]) <= RECENT)
        ]
        if not asked or self._lookup is None:
            return given, None
        rows = self._lookup.get({self._key: [seen[place].entity for place in asked]}, on_failure="defaults")
        values = rows.values
        known = ~np.all([rows.missing[name] for name in self._rows.columns.names], axis=0)
        for row, place in enumerate(asked):
            if known[row]:
                online = {name: values[name][row] for name in wanted}
                given[place] = online | {name: value for name, value in seen[place].values.items() if name in wanted}
        if rows.degraded:
            return given, f"features could not be looked up: {rows.degraded}"
        if not known.all():
            return given, "of some, nothing is online: they are scored by their metrics alone"
        return given, None

    def _score_rows(self, seen: Sequence[Observation], features: list[Mapping[str, Any] | None]) -> list["_Found"]:
        found = [_Found() for _ in seen]
        places = [place for place, row in enumerate(features) if row is not None]
        if not places or self._rows is None:
            return found
        columns = {name: [(features[place] or {}).get(name) for place in places] for name in self._rows.columns.names}
        told = self._rows.score(columns)
        p_values = told.p_value
        if self._head:
            learned = self._head[1].p_value(
                self._head[0].predict(self._rows.columns.encode(columns).astype(np.float32))
            )
            p_values = both(p_values, learned)
        for row, place in enumerate(places):
            found[place].p_value = float(p_values[row])
            scores = (-np.log10(p_values[row]), told.deviation[row])
            # the newest last, so that whoever was silent for longest is forgotten first
            states = self._states.pop(seen[place].entity, None) or [SILENT] * len(self._policies)
            self._states[seen[place].entity] = states
            while len(self._states) > MOST_ENTITIES:
                del self._states[next(iter(self._states))]
            for number, (policy, score) in enumerate(zip(self._policies, scores, strict=True)):
                alarm, states[number] = policy.one(float(score), states[number])
                found[place].alarm |= alarm
            order = np.argsort(-told.causes[row])[:CAUSES]
            found[place].causes = {self._rows.columns.names[at]: float(told.causes[row, at]) for at in order}
        return found

    def snapshot(self) -> bytes:
        """The memory: series, and who has spoken lately."""
        packed = io.BytesIO()
        told = {"states": self._states, "incidents": [vars(one) for one in self._incidents.open]}
        np.savez(
            packed,
            allow_pickle=False,
            told=np.frombuffer(json.dumps(told).encode(), np.uint8),
            **{name: np.frombuffer(look.detector.snapshot(), np.uint8) for name, look in self._looks.items()},
        )
        return packed.getvalue()

    def restore(self, content: bytes) -> None:
        """Go on from a ``snapshot``.

        Raises:
            InputError: it is none, or damaged.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as found:
                kept, told = dict(found), json.loads(found["told"].tobytes())
            detectors = {name: LOOKS[name].restore(kept[name].tobytes()) for name in self._looks if name in kept}
            states = {entity: [(float(b), int(s)) for b, s in pairs] for entity, pairs in told["states"].items()}
            incidents = [Incident(**one) for one in told["incidents"]]
        except Exception as error:
            raise InputError(
                expected="a snapshot of this detector",
                found=type(error).__name__,
                next_command="remove it; the detector then learns from the start",
            ) from error
        for name, detector in detectors.items():
            self._looks[name].detector = detector
        self._states = states
        self._incidents.resume(incidents)

    def save(self) -> None:
        """Write the memory where the next process finds it, whole or not at all."""
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
            with contextlib.suppress(InputError):  # a damaged memory is no reason to be silent
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
    one.target: one
    for one in (
        SystemAnomalyDetector,
        PerformanceAnomalyDetector,
        UserBehaviorAnomalyDetector,
        SecurityAnomalyDetector,
        AudioQualityAnomalyDetector,
    )
}
"""Target → its detector."""


LOOKS: dict[str, type[ManySeries[Any]]] = {"series": SeriesDetector, "counts": CountDetector}
"""Ways of looking at metrics by their own past; as their bundles call them."""


@dataclass
class _Look:
    """One way of looking at metrics.

    Attributes:
        detector: with its memory.
        scales: metric → what its scores are worth; without any, all are asked for.
    """

    detector: ManySeries[Any]
    scales: dict[str, Calibration]

    @classmethod
    def of(cls, kind: type[ManySeries[Any]], told: Mapping[str, Any]) -> "_Look":
        """As it lies in a bundle's manifest."""
        detector = kind(kind.SETTINGS(**told["settings"]), AlarmPolicy(**told["policy"]), told["thresholds"])
        return cls(detector, {name: Calibration.from_json(one) for name, one in told["calibration"].items()})

    def asks(self, metric: str) -> bool:
        """Whether it can say something of a metric: any number is a series, but not every one a count."""
        return isinstance(self.detector, SeriesDetector) or metric in self.scales


@dataclass
class _Found:
    """What one source says of an observation.

    Attributes:
        p_value: the lowest of its looks; NaN if there was none.
        alarm: whether any of them raised one.
        causes: feature or metric → how much it counts.
        verdict: see ``Detection``.
        looks: how many chances of being unusual there were.
    """

    p_value: float = float("nan")
    alarm: bool = False
    causes: dict[str, float] = field(default_factory=dict)
    verdict: str = ""
    looks: int = 0


def told_incident(incident: Incident) -> ToldIncident:
    """An incident as it is told."""
    causes = dict(list(incident.causes.items())[:CAUSES])
    start, end = _moment(incident.start), _moment(incident.end)
    return ToldIncident(incident.key, incident.entity, start, end, incident.alarms, incident.p_value, causes)


def _take(found: _Found, metric: str, told: SeriesScores, row: int, scale: Calibration | None) -> None:
    """Add what one metric says; several are several chances of being unusual, each of which counts."""
    found.verdict = found.verdict or str(told.verdict[row])
    score = told.score[row]
    if np.isnan(score):
        return
    p_value = float(scale.p_value(np.array([score]))[0]) if scale else float(fisher(score, len(CHANNELS)))
    found.causes[metric] = max(found.causes.get(metric, 0.0), -float(np.log10(p_value)))
    found.p_value = float(np.fmin(found.p_value, p_value))
    found.looks += 1
    found.alarm |= bool(told.alarm[row])


def _joined(one: Observation, metrics: _Found, row: _Found) -> Detection:
    of_metrics = min(metrics.p_value * max(metrics.looks, 1), 1.0)  # NaN stays NaN
    p_value = float(either(np.array([of_metrics]), np.array([row.p_value]))[0])
    alarm = metrics.alarm or row.alarm
    causes: dict[str, float] = {}
    if alarm:
        total = sum(metrics.causes.values())
        if metrics.alarm and total > 0:
            causes |= {name: score / total for name, score in metrics.causes.items()}
        if row.alarm or not causes:
            causes |= row.causes
        causes = dict(sorted(causes.items(), key=lambda item: -item[1])[:CAUSES])
    known = not np.isnan(p_value)
    at = one.at if one.at.tzinfo else one.at.replace(tzinfo=UTC)
    return Detection(
        one.entity,
        at,
        p_value if known else None,
        float(-np.log10(p_value)) if known else None,
        alarm,
        causes,
        metrics.verdict,
    )


def _head(bundle: Bundle) -> tuple[OnnxModel, Calibration] | None:
    told = bundle.manifest["extra"].get("head")
    return (OnnxModel(bundle.read("head.onnx")), Calibration.from_json(told)) if told else None


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
