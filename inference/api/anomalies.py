"""``POST /v1/anomalies/detect``."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial

from fastapi import FastAPI, Request
from prometheus_client import CollectorRegistry

from feature_repo.access.sight import Sight
from feature_repo.audit_lines import whose
from feature_repo.home import Home
from inference.anomaly.detector import DETECTORS, PERSONAL_KEYS, AnomalyDetector
from inference.anomaly.notice_times import NoticeTimes
from inference.anomaly.observation import Observation
from inference.anomaly.sinks import Alerts, sink_of
from inference.api import errors
from inference.api.acts import audit_act
from inference.api.costs import OBSERVATIONS, charge_in_thread, units_of
from inference.api.permission import Permission, role_field
from inference.api.schemas.anomalies import DetectRequest, DetectResponse
from inference.api.theft import check_questions
from inference.monitoring.counters import labelled_counter
from inference.monitoring.predictions import PredictionLog
from inference.swap import Live


class DetectionService:
    """The detectors of one application; each is loaded on first use and follows promotions."""

    def __init__(self, home: Home) -> None:
        self.lives = {
            name: Live(partial(kind.load, home=home, remember=True), [kind.name], home, try_out=_try_out)
            for name, kind in DETECTORS.items()
        }
        sinks = [sink_of(item) for item in os.environ.get("REFRAIN_ALERTS", "").split()]
        notice_times = NoticeTimes(home.root / "anomaly" / home.tenant / "notices.json")
        self._alerts = Alerts(sinks, clock=time.time, times=notice_times)
        self._delivery = ThreadPoolExecutor(1, thread_name_prefix="alerts")

    def detect(self, body: DetectRequest) -> DetectResponse:
        """Score the observations and send new incidents to the alert sinks."""
        observations = [Observation(item.entity, item.at, item.values) for item in body.observations]
        result = self.lives[body.detector].get().detect(observations)
        if result.incidents and self._alerts.add(result.detector, result.incidents, deliver=False):
            self._delivery.submit(self._alerts.deliver)  # a slow sink must not delay the response
        return DetectResponse.model_validate(asdict(result))

    def close(self) -> None:
        """Deliver pending alerts and save the state of every detector for the next process."""
        self._delivery.shutdown(wait=True, cancel_futures=True)
        self._alerts.deliver()
        for live in self.lives.values():
            if live.loaded is not None:
                live.loaded.save()


def _try_out(detector: AnomalyDetector) -> None:
    """Check that a detector answers; an empty request leaves no state."""
    detector.detect([])


def check_detection(
    permission: Permission, request: Request, detector: AnomalyDetector, entities: list[str]
) -> Sight | None:
    """Check that the caller may have detections about people; their causes name the features of the detector.

    Raises:
        AccessError: no role of the caller has the service, sees the rows, or sees all features.
    """
    lookup = detector.lookup
    return None if lookup is None else permission.check(request, lookup[0], {lookup[1]: entities}, needs=None)


def questions_about(observations: Sequence[Observation]) -> list[str]:
    """Return one question for each observation, for budgets."""
    return [f"{one.entity} {one.at} {sorted(one.values.items())}" for one in observations]


def install(
    app: FastAPI,
    service: DetectionService,
    log: PredictionLog,
    registry: CollectorRegistry,
    permission: Permission,
) -> None:
    """Add the route."""
    alarms = labelled_counter(registry, "refrain_alarms", "Alarms by detector", "detector", DETECTORS)

    @app.post("/v1/anomalies/detect", responses=errors.RESPONSES, tags=["anomaly"], operation_id="detect_anomalies")
    def detect(request: Request, body: DetectRequest) -> DetectResponse:
        """Scores observations for anomalies; returns alarms with causes, and the incidents that they belong to.

        The detector remembers observations: each one is scored against those before it, in this call or an earlier
        one, by whichever process of this data folder. New incidents are sent to the sinks in ``REFRAIN_ALERTS``: files
        and addresses, separated by spaces.
        """
        charge_in_thread(request, units_of(len(body.observations), OBSERVATIONS), "so many observations")
        keys: dict[str, list[str]] = {}
        if body.detector in PERSONAL_KEYS:
            entities = [observation.entity for observation in body.observations]
            sight = None
            if permission.has_rules:
                sight = check_detection(permission, request, service.lives[body.detector].get(), entities)
            keys = {PERSONAL_KEYS[body.detector]: entities}
            audit_act(request, "detection", detector=body.detector, **role_field(sight), **whose(keys))
        observations = [Observation(item.entity, item.at, item.values) for item in body.observations]
        check_questions(request, f"anomalies-{body.detector}", questions_about(observations), people=keys)
        response = service.detect(body)
        for detection in response.detections:
            log.put("anomalies", response.model, detector=body.detector, score=detection.score, alarm=detection.alarm)
        alarms.labels(body.detector).inc(sum(detection.alarm for detection in response.detections))
        return response
