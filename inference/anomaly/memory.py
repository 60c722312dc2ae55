"""What a detector remembers: the past of every metric, the alarms of every entity, open incidents.

Everything in it follows from the records that were applied and their order (``inference.anomaly.journal``).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from feature_repo.bundle import Bundle
from feature_repo.errors import InputError
from inference.anomaly.finding import METRIC_DETECTORS, MetricDetector
from inference.anomaly.journal import Position
from transforms.pure import npz
from transforms.pure.anomaly.alarms import SILENT, AlarmPolicy, State
from transforms.pure.anomaly.incidents import MINUTE, Alarm, Incident, IncidentLog
from transforms.pure.anomaly.many import SeriesScores
from transforms.pure.anomaly.series import SeriesDetector

MAX_ENTITIES = 100_000
Reading = tuple[str, str, int, float]
"""Entity, metric, microseconds since 1970, value."""


class Memory:
    """The memory of one detector. Not safe to share between threads.

    Args:
        bundle: the trained model; without one, every metric is scored against its own past.

    Attributes:
        metric_detectors: name → detector of metrics, with the past of every series.
        position: how far the journal was applied; None if it was not.
    """

    def __init__(self, bundle: Bundle | None) -> None:
        extra = bundle.manifest["extra"] if bundle else {}
        self._policies = [AlarmPolicy(**extra[name]) for name in ("policy", "deviation") if name in extra]
        self._extra, self._gap = extra, int(extra.get("gap", 30 * MINUTE))
        self._is_trained = bundle is not None
        self.position: Position | None
        self.forget()

    def forget(self) -> None:
        """Begin from nothing."""
        extra = self._extra
        self.metric_detectors = (
            {name: MetricDetector.of(kind, extra[name]) for name, kind in METRIC_DETECTORS.items() if extra.get(name)}
            if self._is_trained
            else {"series": MetricDetector(SeriesDetector(), {})}
        )
        self.position = None
        self._incidents, self._states = IncidentLog(self._gap), dict[str, list[State]]()

    @property
    def state_bytes(self) -> int:
        """Bytes of the past of all series, about."""
        detectors = [one.detector for one in self.metric_detectors.values()]
        return sum(len(detector) * detector.bytes_per_series for detector in detectors)

    def score(self, name: str, readings: Sequence[Reading]) -> tuple[list[int], SeriesScores]:
        """Score the readings that one detector of metrics covers, and learn from them.

        Returns:
            The numbers of these readings, and their scores.
        """
        metric_detector = self.metric_detectors[name]
        covered = [number for number, reading in enumerate(readings) if metric_detector.covers(reading[1])]
        scores = metric_detector.detector.replay(
            [f"{readings[number][0]}/{readings[number][1]}" for number in covered],
            np.array([readings[number][2] for number in covered], np.int64),
            np.array([readings[number][3] for number in covered], np.float64),
        )
        return covered, scores

    def is_alarm(self, entity: str, scores: Sequence[float]) -> bool:
        """Decide whether the scores of an entity's row, one for each policy, are an alarm."""
        # the newest entity is last, so that the entity with the oldest observation is dropped first
        states = self._states.pop(entity, None) or [SILENT] * len(self._policies)
        self._states[entity] = states
        while len(self._states) > MAX_ENTITIES:
            del self._states[next(iter(self._states))]
        is_alarm = False
        for number, (policy, score) in enumerate(zip(self._policies, scores, strict=True)):
            alarm, states[number] = policy.one(float(score), states[number])
            is_alarm |= alarm
        return is_alarm

    def add_alarm(self, alarm: Alarm) -> Incident:
        """Add an alarm to its incident."""
        return self._incidents.take(alarm)[0]

    def apply(self, record: Mapping[str, Any]) -> None:
        """Repeat what another process, or an earlier one, observed."""
        readings: list[Reading] = [tuple(reading) for reading in record["readings"]]
        for name in self.metric_detectors:
            self.score(name, readings)
        for entity, *scores in record["rows"]:
            self.is_alarm(entity, scores)
        for alarm in record["alarms"]:
            self.add_alarm(Alarm(**alarm))

    def snapshot(self) -> bytes:
        """Serialize everything, for ``restore``."""
        state = {"states": self._states, "incidents": [vars(incident) for incident in self._incidents.open]}
        state["position"] = None if self.position is None else asdict(self.position)  # type: ignore[assignment]
        parts = {"told": json.dumps(state).encode()} | {
            name: metric_detector.detector.snapshot() for name, metric_detector in self.metric_detectors.items()
        }
        return npz.pack({name: np.frombuffer(part, np.uint8) for name, part in parts.items()}, compressed=False)

    def restore(self, content: bytes) -> None:
        """Restore everything from a ``snapshot``.

        Raises:
            InputError: the content is not a snapshot, or it is damaged; nothing is changed.
        """
        try:
            arrays = npz.unpack(content)
            state = json.loads(arrays["told"].tobytes())
            detectors = {
                name: METRIC_DETECTORS[name].restore(arrays[name].tobytes())
                for name in self.metric_detectors
                if name in arrays
            }
            states: dict[str, list[State]] = {
                entity: [(float(boost), int(since), int(age)) for boost, since, age in policies]
                for entity, policies in state["states"].items()
            }
            incidents = [Incident(**incident) for incident in state["incidents"]]
            position = Position(**state["position"]) if state.get("position") else None
        except Exception as error:
            raise InputError(
                expected="a snapshot of this detector",
                found=type(error).__name__,
                next_command="remove it; the detector then learns from the start",
            ) from error
        self.forget()
        for name, detector in detectors.items():
            self.metric_detectors[name].detector = detector
        self._states, self.position = states, position
        self._incidents.resume(incidents)


def record_of(
    readings: Sequence[Reading], rows: Sequence[tuple[str, float, float]], alarms: Sequence[Alarm]
) -> dict[str, Any]:
    """Make the record of what was observed; numbers are kept to the last bit.

    Args:
        readings: values of metrics.
        rows: entity and scores of each row of features.
        alarms: alarms that followed.
    """
    return {"readings": readings, "rows": rows, "alarms": [vars(alarm) for alarm in alarms]}
