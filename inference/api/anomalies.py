"""``POST /v1/anomalies/detect``."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from feature_repo.home import Home
from inference.anomaly.detector import DETECTORS, AnomalyDetector, Observation
from inference.anomaly.sinks import Alerts, sink_of
from inference.api import errors
from inference.api.schemas import DetectRequest, DetectResponse


class Detecting:
    """The detectors of one application; each is loaded when it is first asked."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._loaded: dict[str, AnomalyDetector] = {}
        self._alerts = Alerts([sink_of(one) for one in os.environ.get("REFRAIN_ALERTS", "").split()])
        self._delivery = ThreadPoolExecutor(1, thread_name_prefix="alerts")
        self._lock = threading.Lock()

    def detect(self, body: DetectRequest) -> DetectResponse:
        """Score, and tell the sinks what is new."""
        with self._lock:
            if body.detector not in self._loaded:
                self._loaded[body.detector] = DETECTORS[body.detector].load(home=self._home, remember=True)
        seen = [Observation(one.entity, one.at, one.values) for one in body.observations]
        found = self._loaded[body.detector].detect(seen)
        if found.incidents and self._alerts.tell(found.detector, found.incidents, deliver=False):
            self._delivery.submit(self._alerts.deliver)  # an address that is slow must not hold anybody up
        return DetectResponse.model_validate(asdict(found))

    def close(self) -> None:
        """Deliver what can be delivered, and leave the memory of every detector to the next process."""
        self._delivery.shutdown(wait=True, cancel_futures=True)
        self._alerts.deliver()
        for detector in self._loaded.values():
            detector.save()


def install(app: FastAPI, detecting: Detecting, registry: CollectorRegistry) -> None:
    """Add the route."""
    alarms = Counter("refrain_alarms", "Alarms by detector", ["detector"], registry=registry)

    @app.post("/v1/anomalies/detect", responses=errors.RESPONSES, tags=["anomaly"])
    def detect(body: DetectRequest) -> DetectResponse:
        """What is unusual among some observations, with causes, and the incidents that the alarms belong to.

        The detector remembers what it saw: an observation is scored by what came before it, in this call or an
        earlier one. Incidents that are new go to the sinks of ``REFRAIN_ALERTS``: files and addresses, with spaces
        between.
        """
        found = detecting.detect(body)
        alarms.labels(body.detector).inc(sum(one.alarm for one in found.detections))
        return found
